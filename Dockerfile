# One image for every role: docker run … outspoken --role web. docker-compose.yml shows what each needs.

FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src src
COPY workers workers
RUN npm run build && rm dist/.tsbuildinfo

# Neither what builds and tests, nor the embedded PostgreSQL: a container has a server of its own beside it.
FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional

FROM node:24-slim
ENV NODE_ENV=production HOST=0.0.0.0 DATA_DIR=/data
WORKDIR /app
COPY package.json LICENSE ./
COPY locales locales
COPY templates templates
COPY src/db/migrations src/db/migrations
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
# a volume that is mounted here takes its owner from it
RUN install -d -o node -g node -m 0700 /data
USER node
EXPOSE 3000 2525
STOPSIGNAL SIGTERM
# The pages answer. The other roles have none: docker-compose.yml asks them in another way.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 3000}/healthz`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/src/main.js"]
