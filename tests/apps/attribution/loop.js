// A service on Node's event loop: each request makes three calls, one after another, and answers.
//
// PORT and DEPENDENCY (host:port) come from the environment. With BESIDE the first two calls are made at the same time, and what
// the client sends as X-Request-Id is handed on. With MADE the service makes up an id, which its calls and its answer carry. Each call carries the request's id in its path: that is for the measurement.

const { randomUUID } = require("node:crypto");
const http = require("node:http");

const [host, port] = process.env.DEPENDENCY.split(":");
const agent = new http.Agent({ keepAlive: true });

function call(id, step, headers) {
  return new Promise((resolve, reject) => {
    const request = http.get({ host, port, agent, path: `/step/${id}/${step}`, headers }, (response) => {
      response.on("end", resolve).resume();
    });
    request.on("error", reject);
  });
}

async function work(id, headers) {
  if (process.env.BESIDE) await Promise.all([call(id, 1, headers), call(id, 2, headers)]);
  else {
    await call(id, 1, headers);
    await call(id, 2, headers);
  }
  await call(id, 3, headers);
}

http.createServer(async (request, response) => {
  const trace = request.headers["x-request-id"];
  const item = process.env.MADE ? randomUUID() : undefined;
  await work(request.url.split("/").pop(), { ...(trace && { "x-request-id": trace }), ...(item && { "x-item": item }) });
  const done = item ? `done ${item}` : "done";
  response.writeHead(200, { "content-length": done.length });
  response.end(done);
}).listen(Number(process.env.PORT), "127.0.0.1", 128);
