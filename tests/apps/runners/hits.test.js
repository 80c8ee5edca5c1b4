// A suite of Node's test runner that counts hits in a store.
const { test } = require('node:test');
const assert = require('node:assert');
const net = require('node:net');

test('hits', (_, done) => {
    const [host, port] = process.env.DEPENDENCY.split(':');
    const store = net.connect(port, host, () => store.write('*2\r\n$4\r\nINCR\r\n$4\r\nhits\r\n'));
    store.once('data', reply => {
        assert.strictEqual(reply.toString(), ':7\r\n');
        store.end();
        done();
    });
});
