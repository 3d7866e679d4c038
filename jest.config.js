/** Tests run on the sources, as ES modules, against real parts that test/support/global-setup.ts starts. */
export default {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, sourceMaps: 'inline' },
    ],
  },
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/data/'],
  testTimeout: 120_000,
  maxWorkers: 2,
  // a process that ran many files is large, and on a busy machine needs more than Jest's half second to go; one that is
  // there after this does hold something open
  workerGracefulExitTimeout: 15_000,
};
