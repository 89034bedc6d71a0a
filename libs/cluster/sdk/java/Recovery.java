/** Bob loses his connection, or his gateway, in each way there is, and hears everything once all the same. */
final class Recovery {
    private final Person bob;
    private final Person.Ear here;
    private final Person.Ear there;

    private Recovery(Person bob, Person.Ear here, Person.Ear there) {
        this.bob = bob;
        this.here = here;
        this.there = there;
    }

    static void play() throws Exception {
        String room = Stage.freshRoom("recovery");
        Person ann = new Person(0, "ann");
        Person bob = new Person(1, "bob");
        ann.connect();
        bob.connect();
        Recovery story = new Recovery(bob, new Person.Ear(ann, room), new Person.Ear(bob, room));
        story.here.subscribe();
        story.there.subscribe();
        story.here.say(3);
        story.there.heardAll(1, 3);

        story.lose("cut 1", 1, 7);
        Stage.ok("recovery after a cut");
        story.lose("cut-twice 1", 2, 11);
        Stage.ok("double reconnect");
        story.lose("kill 1", 1, 15);
        story.there.say(1);
        story.here.heardAll(1, 16);
        story.there.heardAll(1, 16);
        Stage.ok("killed gateway");
        Stage.want("restart 1");
        story.lose("cut 1", 1, 20);
        Stage.ok("recovery on another gateway");
        ann.leave();
        bob.leave();
    }

    /** What takes bob away so often while ann goes on; both have heard {@code last} messages in the end. */
    private void lose(String wish, int times, long last) throws Exception {
        int before = there.subscribed.size();
        int away = bob.connecting.size() + times;
        Stage.want(wish);
        here.say(3);
        Stage.until("bob is away", () -> bob.connecting.size() == away);
        Stage.until("bob is back", () -> there.subscribed.size() > before);
        for (var event : there.subscribed.subList(before, there.subscribed.size())) {
            Stage.check(event.wasRecovering() && event.getRecovered(), "recovered after " + wish);
        }
        here.say(1);
        here.heardAll(1, last);
        there.heardAll(1, last);
    }
}
