// A service on the JDK's own HTTP server, with a thread for each request: it makes three calls, one after another, and answers.
//
// PORT and DEPENDENCY (host:port) come from the environment. Each call carries the request's id in its path: that is for the measurement.

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.URL;
import java.util.concurrent.Executors;

public class Threads {
    static final String DEPENDENCY = System.getenv("DEPENDENCY");

    static void call(String id, int step) throws IOException {
        URL url = new URL("http://" + DEPENDENCY + "/step/" + id + "/" + step);
        HttpURLConnection connection = (HttpURLConnection) url.openConnection();
        try (var body = connection.getInputStream()) {
            body.readAllBytes();
        }
    }

    static void answer(HttpExchange exchange) throws IOException {
        String path = exchange.getRequestURI().getPath();
        String id = path.substring(path.lastIndexOf('/') + 1);
        for (int step = 1; step <= 3; step++) {
            call(id, step);
        }
        byte[] body = "done".getBytes();
        exchange.sendResponseHeaders(200, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }

    public static void main(String[] args) throws IOException {
        System.setProperty("sun.net.httpserver.nodelay", "true");
        System.setProperty("http.maxConnections", "64");
        var address = new InetSocketAddress("127.0.0.1", Integer.parseInt(System.getenv("PORT")));
        HttpServer server = HttpServer.create(address, 128);
        server.createContext("/", Threads::answer);
        server.setExecutor(Executors.newFixedThreadPool(64));
        server.start();
    }
}
