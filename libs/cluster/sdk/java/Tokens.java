import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

import io.github.centrifugal.centrifuge.ClientState;

/** Tokens of three seconds. The SDK asks the application for fresh ones; the gateway gives 3 s of grace. */
final class Tokens {
    private Tokens() {}

    /** Where an application has its tokens from; each ends soon. */
    private static final class Source implements Person.Tokens {
        private final String name;
        volatile int asked;
        volatile boolean broken;

        Source(String name) {
            this.name = name;
        }

        @Override
        public synchronized String next() throws Exception {
            asked += 1;
            if (broken) {
                throw new IllegalStateException("no tokens today");
            }
            return Stage.want("token " + name + " 3");
        }
    }

    /** A part of the story that is played beside the others. */
    private interface Scene {
        void play() throws Exception;
    }

    static void play() throws Exception {
        List<Scene> scenes =
                List.of(Tokens::refresh, Tokens::expiryWhileConnected, Tokens::expiryWhileOffline, Tokens::forged);
        CompletableFuture.allOf(scenes.stream().map(Tokens::beside).toArray(CompletableFuture[]::new)).get();
    }

    private static CompletableFuture<Void> beside(Scene scene) {
        CompletableFuture<Void> end = new CompletableFuture<>();
        new Thread(() -> {
            try {
                scene.play();
                end.complete(null);
            } catch (Throwable error) {
                end.completeExceptionally(error);
            }
        }).start();
        return end;
    }

    /** Connected for longer than the first token and its grace last, and never away. */
    private static void refresh() throws Exception {
        Source source = new Source("erin");
        Person erin = new Person(0, "erin", source);
        erin.connect();
        Stage.until("four tokens", () -> source.asked >= 4);
        Stage.equal(List.of(erin.client.getState(), erin.connecting.size()), List.of(ClientState.CONNECTED, 1));
        Stage.ok("refresh");
        erin.leave();
    }

    /** No fresh token to be had: the gateway closes, and the client is back when there are some again. */
    private static void expiryWhileConnected() throws Exception {
        Source source = new Source("frank");
        Person frank = new Person(0, "frank", source);
        frank.connect();
        source.broken = true;
        Stage.until("the close", () -> frank.connecting.contains(3005));
        source.broken = false;
        Stage.until("the return", () -> frank.connected.size() == 2);
        Stage.ok("expiry while connected");
        frank.leave();
    }

    /** The token ends while there is no way to the gateway: error 109 makes the SDK ask for another. */
    private static void expiryWhileOffline() throws Exception {
        Source source = new Source("grace");
        Person grace = new Person(1, "grace", source);
        grace.connect();
        long ended = System.nanoTime() + TimeUnit.SECONDS.toNanos(4);
        Stage.want("shut 1");
        Stage.until("the loss", () -> grace.connecting.size() == 2);
        int asked = source.asked;
        Stage.until("the end of the token", () -> System.nanoTime() > ended);
        Stage.want("open 1");
        Stage.until("the return", () -> grace.connected.size() == 2);
        Stage.check(source.asked > asked, "another token");
        Stage.ok("expiry while offline");
        grace.leave();
    }

    /** A token that nobody trusted has signed ends it for good. */
    private static void forged() throws Exception {
        Person mallory = new Person(0, "mallory", () -> Stage.want("forged-token mallory"));
        mallory.client.connect();
        Stage.until("the end", () -> !mallory.disconnected.isEmpty());
        Stage.equal(mallory.disconnected, List.of(3500));
        Stage.ok("forged token");
        mallory.leave();
    }
}
