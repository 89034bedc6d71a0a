import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.regex.Pattern;

import io.github.centrifugal.centrifuge.ReplyError;
import io.github.centrifugal.centrifuge.ResultCallback;

/**
 * What the stories are played on: doors of the test, and the test itself, which is told by
 * {@code want WISH} what to do and answers with one line.
 */
final class Stage {
    private static final String[] DOORS = System.getenv("DOORS").split(",");
    private static final BufferedReader INPUT =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));

    private Stage() {}

    static String url(int door) {
        return "ws://" + DOORS[door] + "/ws";
    }

    static synchronized String want(String wish) throws IOException {
        System.out.println("want " + wish);
        System.out.flush();
        return INPUT.readLine();
    }

    static void ok(String step) {
        System.out.println("ok " + step);
        System.out.flush();
    }

    static void check(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    static void equal(Object found, Object expected) {
        check(found.equals(expected), "found " + found + ", not " + expected);
    }

    static void until(String what, BooleanSupplier holds) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (!holds.getAsBoolean()) {
            check(System.nanoTime() < deadline, what + ": not within 20 s");
            Thread.sleep(20);
        }
    }

    static String freshRoom(String word) {
        return word + "-" + UUID.randomUUID().toString().substring(0, 8);
    }

    /** What is asked of the SDK by a callback, answered. */
    static <T> CompletableFuture<T> ask(Consumer<ResultCallback<T>> call) {
        CompletableFuture<T> answer = new CompletableFuture<>();
        call.accept((error, result) -> {
            if (error == null) {
                answer.complete(result);
            } else {
                answer.completeExceptionally(error);
            }
        });
        return answer.orTimeout(20, TimeUnit.SECONDS);
    }

    /** The code of the error that something ends with; 0 for none. */
    static int refusal(CompletableFuture<?> asked) throws InterruptedException {
        try {
            asked.get();
            return 0;
        } catch (ExecutionException error) {
            check(error.getCause() instanceof ReplyError, error.toString());
            return ((ReplyError) error.getCause()).getCode();
        }
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] data) {
        return new String(data, StandardCharsets.UTF_8);
    }

    /** A member of a flat JSON object: a word or a number. */
    static String member(byte[] json, String name) {
        var found = Pattern.compile("\"" + name + "\": *\"?([^\",}]*)").matcher(text(json));
        check(found.find(), "no " + name + " in " + text(json));
        return found.group(1);
    }
}
