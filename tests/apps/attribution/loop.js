// A service on Node's event loop: each request makes three calls, one after another, and answers.
//
// PORT and DEPENDENCY (host:port) come from the environment. With BESIDE the first two calls are made at the same time, and what
// the client sends as X-Request-Id is handed on. Each call carries the request's id in its path: that is for the measurement.

const http = require("node:http");

const [host, port] = process.env.DEPENDENCY.split(":");
const agent = new http.Agent({ keepAlive: true });

function call(id, step, trace) {
  const headers = trace ? { "x-request-id": trace } : {};
  return new Promise((resolve, reject) => {
    const request = http.get({ host, port, agent, path: `/step/${id}/${step}`, headers }, (response) => {
      response.on("end", resolve).resume();
    });
    request.on("error", reject);
  });
}

async function work(id, trace) {
  if (process.env.BESIDE) await Promise.all([call(id, 1, trace), call(id, 2, trace)]);
  else {
    await call(id, 1, trace);
    await call(id, 2, trace);
  }
  await call(id, 3, trace);
}

http.createServer(async (request, response) => {
  await work(request.url.split("/").pop(), request.headers["x-request-id"]);
  response.writeHead(200, { "content-length": 4 });
  response.end("done");
}).listen(Number(process.env.PORT), "127.0.0.1", 128);
