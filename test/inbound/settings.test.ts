import { describe, expect, it } from '@jest/globals';
import { readConfig } from '../../src/config.ts';

const real = {
  DATABASE_URL: 'postgres://outspoken@db.example/outspoken',
  APP_KEY: `1:${Buffer.alloc(32).toString('base64')}`,
};

describe('the settings of the role inbound', () => {
  it('let it listen on any free port of this machine, without a certificate, where nothing is set', () => {
    expect(readConfig({})).toMatchObject({
      roles: expect.arrayContaining(['inbound']),
      inboundPort: 0,
      inboundHost: '127.0.0.1',
    });
    expect(readConfig({}).inboundTls).toBeUndefined();
  });

  it('say where it listens, and with which certificate', () => {
    const settings = {
      ...real,
      INBOUND_PORT: '2525',
      INBOUND_HOST: '0.0.0.0',
      INBOUND_TLS_CERT: '/etc/tls/cert.pem',
      INBOUND_TLS_KEY: '/etc/tls/key.pem',
    };
    expect(readConfig(settings, ['inbound'])).toMatchObject({
      roles: ['inbound'],
      inboundPort: 2525,
      inboundHost: '0.0.0.0',
      inboundTls: { cert: '/etc/tls/cert.pem', key: '/etc/tls/key.pem' },
    });
  });

  it.each([
    [{ INBOUND_PORT: 'smtp' }, 'INBOUND_PORT must be a whole number'],
    [{ INBOUND_PORT: '65536' }, 'INBOUND_PORT must be a whole number'],
    [{ INBOUND_HOST: 'here there' }, 'INBOUND_HOST must be an address'],
    [{ INBOUND_TLS_CERT: '/c.pem' }, 'INBOUND_TLS_CERT and INBOUND_TLS_KEY are needed together'],
    [{ INBOUND_TLS_KEY: '/k.pem' }, 'INBOUND_TLS_CERT and INBOUND_TLS_KEY are needed together'],
  ])('are refused at the start when they are wrong: %j', (settings, problem) => {
    expect(() => readConfig({ ...real, ...settings })).toThrow(problem);
  });

  it('ask for a database that others reach as well, when it runs alone', () => {
    expect(() => readConfig({}, ['inbound'])).toThrow('DATABASE_URL is needed when roles run apart');
    expect(readConfig({}, ['web', 'worker']).roles).toEqual(['web', 'worker']);
  });
});
