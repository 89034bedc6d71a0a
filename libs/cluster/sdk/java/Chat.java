import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;

import io.github.centrifugal.centrifuge.Client;
import io.github.centrifugal.centrifuge.HistoryOptions;
import io.github.centrifugal.centrifuge.HistoryResult;
import io.github.centrifugal.centrifuge.PresenceResult;
import io.github.centrifugal.centrifuge.PresenceStatsResult;
import io.github.centrifugal.centrifuge.Publication;
import io.github.centrifugal.centrifuge.RPCResult;
import io.github.centrifugal.centrifuge.StreamPosition;
import io.github.centrifugal.centrifuge.Subscription;

/** Two people talk in a room, each on a gateway of their own. */
final class Chat {
    private Chat() {}

    static void play() throws Exception {
        String room = Stage.freshRoom("chat");
        Person ann = new Person(0, "ann");
        Person bob = new Person(1, "bob");
        ann.connect();
        bob.connect();
        Stage.until("system", () -> ann.serverSide.contains("system"));
        Stage.ok("connect");

        var here = new Person.Ear(ann, room);
        var there = new Person.Ear(bob, room);
        here.subscribe();
        var subscribed = there.subscribe();
        Stage.check(subscribed.getRecoverable() && subscribed.getPositioned(), "recoverable");
        Stage.check(!subscribed.wasRecovering(), "nothing to recover");
        Stage.until("bob's join", () -> Collections.frequency(here.joined, "bob") == 1);
        Stage.ok("subscribe");

        publish(here, there);
        call(ann.client, room);
        history(there.subscription);

        PresenceResult presence = Stage.<PresenceResult>ask(here.subscription::presence).get();
        Stage.equal(presence.getClients().values().stream().map(Person::nameOf).sorted().toList(),
                List.of("ann", "bob"));
        PresenceStatsResult stats = Stage.<PresenceStatsResult>ask(there.subscription::presenceStats).get();
        Stage.equal(List.of(stats.getNumClients(), stats.getNumUsers()), List.of(2, 2));
        Stage.ok("presence");

        there.subscription.unsubscribe();
        Stage.until("bob's leave", () -> here.left.equals(List.of("bob")));
        stats = Stage.<PresenceStatsResult>ask(here.subscription::presenceStats).get();
        Stage.equal(stats.getNumClients(), 1);
        here.say(2);
        var again = there.subscribe();
        Stage.until("bob's second join", () -> Collections.frequency(here.joined, "bob") == 2);
        Stage.ok("leave and join");

        // Who comes back to a room hears what was said meanwhile, and nothing twice.
        Stage.check(again.wasRecovering() && again.getRecovered(), "recovered");
        here.say(1);
        here.heardAll(1, 44);
        there.heardAll(1, 44);
        Stage.ok("unsubscribe");
        ann.leave();
        bob.leave();
    }

    /** Both at once and without waiting for answers: one order for all, in which each author's own is kept. */
    private static void publish(Person.Ear here, Person.Ear there) throws Exception {
        var said = List.of(texts("ann"), texts("bob"));
        CompletableFuture.allOf(here.saying(said.get(0)), there.saying(said.get(1))).get();
        for (Person.Ear ear : List.of(here, there)) {
            ear.heardAll(1, 40);
            for (List<String> own : said) {
                var heard = ear.heard.stream().map(event -> Stage.text(event.getData())).filter(own::contains);
                Stage.equal(heard.toList(), own);
            }
            Stage.check(ear.heard.stream().allMatch(event ->
                    Person.nameOf(event.getInfo()).equals(Stage.member(event.getData(), "name"))), "the authors");
        }
        Stage.ok("publish");
    }

    private static List<String> texts(String name) {
        return IntStream.range(0, 20)
                .mapToObj(index -> "{\"name\":\"" + name + "\",\"index\":" + index + "}").toList();
    }

    private static void call(Client client, String room) throws Exception {
        byte[] message = Stage.bytes(
                "{\"room\":\"" + room + "\",\"id\":\"message-of-ann\",\"data\":{\"text\":\"by rpc\"}}");
        for (String duplicate : List.of("false", "true")) {
            byte[] sent = Stage.<RPCResult>ask(answer -> client.rpc("room.send", message, answer)).get().getData();
            Stage.equal(List.of(Stage.member(sent, "offset"), Stage.member(sent, "duplicate")),
                    List.of("41", duplicate));
        }
        var nonsense = Stage.<RPCResult>ask(answer -> client.rpc("room.nonsense", message, answer));
        Stage.equal(Stage.refusal(nonsense), 104);
        Stage.ok("rpc");
    }

    private static void history(Subscription subscription) throws Exception {
        HistoryResult top = page(subscription, new HistoryOptions.Builder()).get();
        Stage.equal(List.of(top.getOffset(), top.getPublications().size()), List.of(41L, 0));
        var since = new StreamPosition(5, top.getEpoch());
        Stage.equal(offsets(subscription, limit(3)), List.of(1L, 2L, 3L));
        Stage.equal(offsets(subscription, limit(3).withSince(since)), List.of(6L, 7L, 8L));
        Stage.equal(offsets(subscription, limit(3).withReverse(true)), List.of(41L, 40L, 39L));
        Stage.equal(offsets(subscription, limit(3).withSince(since).withReverse(true)), List.of(4L, 3L, 2L));
        Stage.equal(offsets(subscription, limit(-1)).size(), 41);
        var wrong = limit(3).withSince(new StreamPosition(5, "wrong"));
        Stage.equal(Stage.refusal(page(subscription, wrong)), 112);
        Stage.ok("history");
    }

    private static HistoryOptions.Builder limit(int limit) {
        return new HistoryOptions.Builder().withLimit(limit);
    }

    private static CompletableFuture<HistoryResult> page(Subscription subscription, HistoryOptions.Builder options) {
        return Stage.ask(answer -> subscription.history(options.build(), answer));
    }

    private static List<Long> offsets(Subscription subscription, HistoryOptions.Builder options) throws Exception {
        return page(subscription, options).get().getPublications().stream().map(Publication::getOffset).toList();
    }
}
