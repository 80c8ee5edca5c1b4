// Reads the time of day in Java's ways, and lets its timers run.

import java.time.Instant;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.Date;
import java.util.Timer;
import java.util.TimerTask;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;

public class Times {
    static final long AHEAD_MS = 50;

    interface Wait {
        void run() throws Exception;
    }

    static void day(String what, Instant instant) {
        System.out.println(what + " " + LocalDate.ofInstant(instant, ZoneOffset.UTC));
    }

    static void waited(String what, Wait wait) throws Exception {
        long began = System.nanoTime();
        wait.run();
        long passed = (System.nanoTime() - began) / 1_000_000;
        System.out.println(what + (passed >= AHEAD_MS - 1 ? " waited" : " took " + passed + " ms"));
    }

    static Date ahead() {
        return new Date(System.currentTimeMillis() + AHEAD_MS);
    }

    public static void main(String[] args) throws Exception {
        day("Instant", Instant.now());
        day("currentTimeMillis", Instant.ofEpochMilli(System.currentTimeMillis()));
        day("Date", new Date().toInstant());
        waited("sleep", () -> Thread.sleep(AHEAD_MS));
        waited("awaitUntil", () -> {
            var lock = new ReentrantLock();
            lock.lock();
            var condition = lock.newCondition();
            var until = ahead();
            while (condition.awaitUntil(until)) { }
        });
        waited("parkUntil", () -> {
            long until = System.currentTimeMillis() + AHEAD_MS;
            while (System.currentTimeMillis() < until) LockSupport.parkUntil(until);
        });
        waited("ScheduledExecutor", () -> {
            var executor = Executors.newScheduledThreadPool(1);
            executor.schedule(() -> {}, AHEAD_MS, TimeUnit.MILLISECONDS).get();
            executor.shutdown();
        });
        waited("Timer", () -> {
            var done = new CountDownLatch(1);
            var timer = new Timer(true);
            timer.schedule(new TimerTask() {
                public void run() {
                    done.countDown();
                }
            }, ahead());
            done.await();
        });
    }
}
