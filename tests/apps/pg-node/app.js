// Orders on Node's http and pg's pool. What it connects to, libpq's environment says.

const http = require("node:http");
const { Pool } = require("pg");

const pool = new Pool({ max: 5 });
// A connection that is lost fails its query, not the service.
pool.on("connect", (client) => client.on("error", () => {}));
const INSERT = "INSERT INTO orders (name, price, tags) VALUES ($1, $2, $3) RETURNING id";

async function body(request) {
  let text = "";
  for await (const chunk of request) text += chunk;
  return JSON.parse(text);
}

async function transaction(work) {
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    const done = await work(client);
    await client.query("COMMIT");
    return done;
  } catch (error) {
    await client.query("ROLLBACK");
    throw error;
  } finally {
    client.release();
  }
}

const find = { name: "find-order", text: "SELECT id, name, price, tags FROM orders WHERE id = $1" };

async function read(client, id) {
  const { rows } = await client.query({ ...find, values: [id] });
  return rows[0];
}

async function create(order) {
  return transaction(async (client) => {
    const { rows } = await client.query(INSERT, [order.name, order.price, ["new", "hot"]]);
    return read(client, rows[0].id);
  });
}

async function types() {
  const { rows } = await pool.query({
    text: `SELECT true, 1::int2, 2::int8, 1.5::float8, 2.50::numeric, 'a'::varchar(3), '\\x00ff'::bytea,
      timestamptz '2024-02-29 12:00:00+00', interval '1 day 02:00:00', '6fa459ea-ee8a-3ca4-894e-db77e160355e'::uuid,
      '{"a": [1]}'::jsonb, array[1,2], NULL`,
    rowMode: "array",
  });
  return rows[0];
}

async function undone(order) {
  const failed = transaction(async (client) => {
    await client.query(INSERT, [order.name, order.price, []]);
    await client.query("SELECT 1/0");
  });
  const code = await failed.catch((error) => error.code);
  const { rows } = await pool.query("SELECT count(*) AS left FROM orders WHERE name = $1", [order.name]);
  return { code, left: rows[0].left };
}

async function answer(request) {
  const [, root, id] = request.url.split("/");
  if (root === "types") return types();
  if (root === "undone") return undone(await body(request));
  return request.method === "POST" ? create(await body(request)) : read(pool, Number(id));
}

function respond(response, status, value) {
  const text = JSON.stringify(value);
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  response.end(text);
}

const server = http.createServer((request, response) => {
  answer(request).then(
    (value) => respond(response, 200, value),
    (error) => respond(response, 500, { error: String(error) }),
  );
});

pool.query("CREATE TABLE IF NOT EXISTS orders (id serial PRIMARY KEY, name text, price numeric(8,2), tags text[])")
  .then(() => server.listen(Number(process.argv[2]), "127.0.0.1"));
