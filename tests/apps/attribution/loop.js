// A service on Node's event loop: each request makes three calls, one after another, and answers.
//
// PORT and DEPENDENCY (host:port) come from the environment. With BESIDE the first two calls are made at the same time. Each call
// carries the request's id in its path: that is for the measurement.

const http = require("node:http");

const [host, port] = process.env.DEPENDENCY.split(":");
const agent = new http.Agent({ keepAlive: true });

function call(id, step) {
  return new Promise((resolve, reject) => {
    const request = http.get({ host, port, agent, path: `/step/${id}/${step}` }, (response) => {
      response.on("end", resolve).resume();
    });
    request.on("error", reject);
  });
}

async function work(id) {
  if (process.env.BESIDE) await Promise.all([call(id, 1), call(id, 2)]);
  else {
    await call(id, 1);
    await call(id, 2);
  }
  await call(id, 3);
}

http.createServer(async (request, response) => {
  await work(request.url.split("/").pop());
  response.writeHead(200, { "content-length": 4 });
  response.end("done");
}).listen(Number(process.env.PORT), "127.0.0.1", 128);
