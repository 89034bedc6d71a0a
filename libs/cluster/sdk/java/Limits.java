import java.util.Collections;
import java.util.List;

import io.github.centrifugal.centrifuge.ClientState;
import io.github.centrifugal.centrifuge.PresenceStatsResult;
import io.github.centrifugal.centrifuge.PublishResult;
import io.github.centrifugal.centrifuge.RPCResult;

/** What is refused, and what a hasty application does. */
final class Limits {
    private Limits() {}

    static void play() throws Exception {
        forbidden();
        tooLarge();
        changeOfMind();
    }

    /** A room of the system's own is no room to come into; the client stays, without that subscription. */
    private static void forbidden() throws Exception {
        Person ann = new Person(0, "ann");
        ann.connect();
        var ear = new Person.Ear(ann, "user:somebody");
        ear.subscription.subscribe();
        Stage.until("the refusal", () -> ear.unsubscribed.equals(List.of(103)));
        Stage.equal(ann.client.getState(), ClientState.CONNECTED);
        Stage.ok("forbidden room");
        ann.leave();
    }

    /** More than a frame may hold ends the connection with 1009, which this SDK calls 3 and comes back from. */
    private static void tooLarge() throws Exception {
        Person ann = new Person(0, "ann");
        ann.connect();
        byte[] large = Stage.bytes("\"" + "x".repeat(70_000) + "\"");
        var sent = Stage.<PublishResult>ask(
                answer -> ann.client.publish(Stage.freshRoom("large"), large, answer));
        Stage.until("the close", () -> ann.connecting.contains(3));
        Stage.until("the return", () -> ann.connected.size() == 2);
        Stage.check(sent.isCompletedExceptionally(), "it was taken");
        Stage.ok("too large");
        ann.leave();
    }

    /** In and out without waiting: the last word counts, for the room's members too. */
    private static void changeOfMind() throws Exception {
        String room = Stage.freshRoom("hasty");
        Person ann = new Person(0, "ann");
        Person bob = new Person(1, "bob");
        ann.connect();
        bob.connect();
        var here = new Person.Ear(ann, room);
        var there = new Person.Ear(bob, room);
        here.subscribe();
        for (int round = 0; round < 10; round++) {
            there.subscription.subscribe();
            if (round % 3 == 0) {
                Thread.sleep(round);
            }
            there.subscription.unsubscribe();
        }
        // The SDK does all that in its own time, one after the other; what it does after that is answered later.
        var after = Stage.<RPCResult>ask(answer -> bob.client.rpc("room.nonsense", Stage.bytes("{}"), answer));
        Stage.check(Stage.refusal(after) != 0, "nonsense was taken");
        there.subscribe();
        here.say(3);
        here.heardAll(1, 3);
        there.heardAll(1, 3);
        Stage.until("bob is here once", () ->
                Collections.frequency(here.joined, "bob") == Collections.frequency(here.left, "bob") + 1);
        var stats = Stage.<PresenceStatsResult>ask(here.subscription::presenceStats).get();
        Stage.equal(stats.getNumClients(), 2);
        Stage.ok("change of mind");
        ann.leave();
        bob.leave();
    }
}
