// Whoever has to leave at once: nothing of the page is seen while the other one loads, and going back does not lead to
// it. Without this script the link is a link. It asks nothing of a browser that an old phone might lack: between the two
// it would lead nowhere.
const leave = document.querySelector('.leave');

leave.addEventListener('click', (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  document.title = leave.hostname;
  document.body.textContent = '';
  window.location.replace(leave.href);
});
