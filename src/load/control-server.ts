/** Entry of a process: the plainest HTTP server there is. Tells its port on stdout, and ends when its stdin does. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const answer = JSON.stringify({ status: 'Completed', exit_code: 0, attempt: 1 });

const server = createServer((request, reply) => {
  request.resume().once('end', () => reply.setHeader('content-type', 'application/json').end(answer));
});
server.keepAliveTimeout = 0;
server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
process.stdin.resume().once('end', () => process.exit(0));
