// Orders on Java's own HTTP server and JDBC, with a pool of connections. What it connects to, libpq's environment says.

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.math.BigDecimal;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.sql.Array;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Executors;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

public class Orders {
    static final int CONNECTIONS = 5;
    static final Pattern ORDER = Pattern.compile("\"name\": *\"([^\"]*)\", *\"price\": *\"([^\"]*)\"");
    static final String INSERT = "INSERT INTO orders (name, price, tags) VALUES (?, ?, ?) RETURNING id";
    static final String TYPES =
        "SELECT true, 1::int2, 2::int8, 1.5::float8, 2.50::numeric, 'a'::varchar(3), date '2024-02-29', "
            + "interval '1 day 02:00:00', '6fa459ea-ee8a-3ca4-894e-db77e160355e'::uuid, '{\"a\": [1]}'::jsonb, array[1,2], NULL";

    static final BlockingQueue<Connection> pool = new ArrayBlockingQueue<>(CONNECTIONS);

    interface Work {
        String on(Connection db) throws SQLException;
    }

    static Connection connect() throws SQLException {
        String url = "jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE");
        return DriverManager.getConnection(url, System.getenv("PGUSER"), System.getenv("PGPASSWORD"));
    }

    static String lend(Work work) throws Exception {
        Connection db = pool.take();
        try {
            return work.on(db);
        } finally {
            pool.add(db);
        }
    }

    static String transaction(Connection db, Work work) throws SQLException {
        db.setAutoCommit(false);
        try {
            String done = work.on(db);
            db.commit();
            return done;
        } catch (SQLException error) {
            db.rollback();
            throw error;
        } finally {
            db.setAutoCommit(true);
        }
    }

    static String text(Object value) {
        return value == null ? "null" : "\"" + value.toString().replace("\"", "\\\"") + "\"";
    }

    static String find(Connection db, int id) throws SQLException {
        try (PreparedStatement query = db.prepareStatement("SELECT id, name, price, tags FROM orders WHERE id = ?")) {
            query.setInt(1, id);
            ResultSet row = query.executeQuery();
            row.next();
            List<String> tags = new ArrayList<>();
            for (String tag : (String[]) row.getArray(4).getArray()) tags.add(text(tag));
            return "{\"id\": " + row.getInt(1) + ", \"name\": " + text(row.getString(2)) + ", \"price\": " + text(row.getBigDecimal(3))
                + ", \"tags\": [" + String.join(", ", tags) + "]}";
        }
    }

    static int insert(Connection db, Matcher order) throws SQLException {
        try (PreparedStatement insert = db.prepareStatement(INSERT)) {
            Array tags = db.createArrayOf("text", new String[] {"new", "hot"});
            insert.setString(1, order.group(1));
            insert.setBigDecimal(2, new BigDecimal(order.group(2)));
            insert.setArray(3, tags);
            ResultSet row = insert.executeQuery();
            row.next();
            return row.getInt(1);
        }
    }

    static String types(Connection db) throws SQLException {
        try (Statement query = db.createStatement(); ResultSet row = query.executeQuery(TYPES)) {
            row.next();
            List<String> values = new ArrayList<>();
            for (int n = 1; n <= row.getMetaData().getColumnCount(); n++) values.add(text(row.getObject(n)));
            return "[" + String.join(", ", values) + "]";
        }
    }

    static String undone(Connection db, Matcher order) throws SQLException {
        String code = "";
        try {
            transaction(db, tx -> {
                insert(tx, order);
                try (Statement failing = tx.createStatement()) {
                    failing.execute("SELECT 1/0");
                }
                return "";
            });
        } catch (SQLException error) {
            code = error.getSQLState();
        }
        try (PreparedStatement count = db.prepareStatement("SELECT count(*) FROM orders WHERE name = ?")) {
            count.setString(1, order.group(1));
            ResultSet row = count.executeQuery();
            row.next();
            return "{\"code\": " + text(code) + ", \"left\": " + row.getLong(1) + "}";
        }
    }

    static String answer(HttpExchange exchange) throws Exception {
        String[] path = exchange.getRequestURI().getPath().split("/");
        Matcher order = ORDER.matcher(new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
        boolean isOrder = order.find();
        if (path[1].equals("types")) return lend(Orders::types);
        if (path[1].equals("undone")) return lend(db -> undone(db, order));
        if (isOrder) return lend(db -> transaction(db, tx -> find(tx, insert(tx, order))));
        return lend(db -> find(db, Integer.parseInt(path[2])));
    }

    static void handle(HttpExchange exchange) throws IOException {
        int status = 200;
        String answer;
        try {
            answer = answer(exchange);
        } catch (Exception error) {
            status = 500;
            answer = "{\"error\": " + text(error) + "}";
        }
        byte[] body = answer.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        exchange.sendResponseHeaders(status, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }

    public static void main(String[] arguments) throws Exception {
        for (int n = 0; n < CONNECTIONS; n++) pool.add(connect());
        lend(db -> {
            try (Statement migration = db.createStatement()) {
                migration.execute("CREATE TABLE IF NOT EXISTS orders (id serial PRIMARY KEY, name text, price numeric(8,2), tags text[])");
            }
            return "";
        });
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])), 128);
        server.createContext("/", Orders::handle);
        server.setExecutor(Executors.newFixedThreadPool(32));
        server.start();
    }
}
