<?php
// Orders on PHP's own server and PDO: the file is the service, and with `migrate` as its argument makes the table.
// What it connects to, libpq's environment says.

const INSERT = 'INSERT INTO orders (name, price, tags) VALUES (?, ?, ?) RETURNING id';

function connect(): PDO {
    return new PDO('pgsql:', options: [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION, PDO::ATTR_PERSISTENT => true]);
}

function find(PDO $db, int $id): array {
    $query = $db->prepare('SELECT id, name, price, array_to_json(tags) AS tags FROM orders WHERE id = ?');
    $query->execute([$id]);
    $order = $query->fetch(PDO::FETCH_ASSOC);
    return ['tags' => json_decode($order['tags'])] + $order;
}

function insert(PDO $db, array $order): int {
    $insert = $db->prepare(INSERT);
    $insert->execute([$order['name'], $order['price'], '{new,hot}']);
    return $insert->fetchColumn();
}

function create(PDO $db, array $order): array {
    $db->beginTransaction();
    $made = find($db, insert($db, $order));
    $db->commit();
    return $made;
}

function types(PDO $db): array {
    $sql = <<<'SQL'
        SELECT true AS a, 1::int2 AS b, 2::int8 AS c, 1.5::float8 AS d, 2.50::numeric AS e, 'a'::varchar(3) AS f, date '2024-02-29' AS g,
        timestamptz '2024-02-29 12:00:00+00' AS h, interval '1 day 02:00:00' AS i, '6fa459ea-ee8a-3ca4-894e-db77e160355e'::uuid AS j,
        '{"a": [1]}'::jsonb AS k, array[1,2] AS l, NULL AS m
        SQL;
    return $db->query($sql)->fetch(PDO::FETCH_NUM);
}

function undone(PDO $db, array $order): array {
    $db->beginTransaction();
    try {
        insert($db, $order);
        $db->exec('SELECT 1/0');
    } catch (PDOException $error) {
        $db->rollBack();
    }
    $left = $db->prepare('SELECT count(*) FROM orders WHERE name = ?');
    $left->execute([$order['name']]);
    return ['code' => $error->getCode(), 'left' => $left->fetchColumn()];
}

$db = connect();
if (PHP_SAPI === 'cli') {
    $db->exec('CREATE TABLE IF NOT EXISTS orders (id serial PRIMARY KEY, name text, price numeric(8,2), tags text[])');
    exit(0);
}
$order = json_decode(file_get_contents('php://input'), true);
[, $root, $id] = explode('/', $_SERVER['REQUEST_URI'] . '/');
$answer = match (true) {
    $root === 'types' => types($db),
    $root === 'undone' => undone($db, $order),
    $_SERVER['REQUEST_METHOD'] === 'POST' => create($db, $order),
    default => find($db, (int) $id),
};
header('Content-Type: application/json');
echo json_encode($answer);
