// An order service on Node's http and ioredis: the test suite's event-loop app.
//
// PORT and REDIS_PORT come from the environment. Every key is unique to its request, so a replay is exact under concurrency.
// BUG selects one deliberate change, for the tests that must fail: key, field, extra, dropped.

const http = require("node:http");
const Redis = require("ioredis");

const bug = process.env.BUG ?? "";
const store = new Redis({ host: "127.0.0.1", port: Number(process.env.REDIS_PORT), lazyConnect: false });

function answer(response, status, value) {
  const body = JSON.stringify(value);
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
  response.end(body);
}

async function body(request) {
  let text = "";
  for await (const chunk of request) text += chunk;
  return JSON.parse(text);
}

async function create(request, response) {
  const order = await body(request);
  await store.set(`${bug === "key" ? "orders" : "order"}:${order.id}`, JSON.stringify(order));
  if (bug !== "dropped") await store.rpush(`audit:${order.id}`, "created");
  if (bug === "extra") await store.get(`order:${order.id}`);
  answer(response, 201, { id: order.id, items: order.items.length, status: bug === "field" ? "open" : "new" });
}

async function read(id, response) {
  const found = await store.get(`order:${id}`);
  if (found === null) return answer(response, 404, { error: "no such order", id });
  answer(response, 200, JSON.parse(found));
}

async function pay(id, response) {
  const results = await store.multi().hset(`payment:${id}`, "state", "paid", "order", id).expire(`payment:${id}`, 3600)
    .hgetall(`payment:${id}`).exec();
  answer(response, 200, results[2][1]);
}

http.createServer((request, response) => {
  const [, root, id, verb] = request.url.split("/");
  const done = root !== "orders" ? answer(response, 404, { error: "no such route" })
    : request.method === "POST" && verb === "pay" ? pay(id, response)
    : request.method === "POST" ? create(request, response)
    : read(id, response);
  Promise.resolve(done).catch((error) => answer(response, 502, { error: String(error) }));
}).listen(Number(process.env.PORT), "127.0.0.1");
