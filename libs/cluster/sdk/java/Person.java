import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

import io.github.centrifugal.centrifuge.Client;
import io.github.centrifugal.centrifuge.ClientInfo;
import io.github.centrifugal.centrifuge.ConnectedEvent;
import io.github.centrifugal.centrifuge.ConnectingEvent;
import io.github.centrifugal.centrifuge.ConnectionTokenEvent;
import io.github.centrifugal.centrifuge.ConnectionTokenGetter;
import io.github.centrifugal.centrifuge.DisconnectedEvent;
import io.github.centrifugal.centrifuge.DuplicateSubscriptionException;
import io.github.centrifugal.centrifuge.ErrorEvent;
import io.github.centrifugal.centrifuge.EventListener;
import io.github.centrifugal.centrifuge.JoinEvent;
import io.github.centrifugal.centrifuge.LeaveEvent;
import io.github.centrifugal.centrifuge.Options;
import io.github.centrifugal.centrifuge.PublicationEvent;
import io.github.centrifugal.centrifuge.PublishResult;
import io.github.centrifugal.centrifuge.ServerSubscribedEvent;
import io.github.centrifugal.centrifuge.SubscribedEvent;
import io.github.centrifugal.centrifuge.Subscription;
import io.github.centrifugal.centrifuge.SubscriptionEventListener;
import io.github.centrifugal.centrifuge.SubscriptionOptions;
import io.github.centrifugal.centrifuge.TokenCallback;
import io.github.centrifugal.centrifuge.UnsubscribedEvent;

/** Somebody behind a door, with a client of the SDK as it is installed; writes down all that it is told. */
final class Person extends EventListener {
    /** Where an application has its tokens from. */
    interface Tokens {
        String next() throws Exception;
    }

    final Client client;
    final List<Integer> connecting = new CopyOnWriteArrayList<>();
    final List<String> connected = new CopyOnWriteArrayList<>();
    final List<Integer> disconnected = new CopyOnWriteArrayList<>();
    final List<String> serverSide = new CopyOnWriteArrayList<>();
    private final String name;

    Person(int door, String name) {
        this(door, name, () -> Stage.want("token " + name + " 600"));
    }

    Person(int door, String name, Tokens tokens) {
        this.name = name;
        Options options = new Options();
        options.setMinReconnectDelay(50);
        options.setMaxReconnectDelay(500);
        options.setTokenGetter(new ConnectionTokenGetter() {
            @Override
            public void getConnectionToken(ConnectionTokenEvent event, TokenCallback callback) {
                try {
                    callback.Done(null, tokens.next());
                } catch (Exception error) {
                    callback.Done(error, null);
                }
            }
        });
        client = new Client(Stage.url(door), options, this);
    }

    void connect() throws InterruptedException {
        client.connect();
        Stage.until(name + " is connected", () -> !connected.isEmpty());
    }

    void leave() throws InterruptedException {
        client.close(5_000);
    }

    @Override
    public void onConnecting(Client client, ConnectingEvent event) {
        connecting.add(event.getCode());
    }

    @Override
    public void onConnected(Client client, ConnectedEvent event) {
        connected.add(event.getClient());
    }

    @Override
    public void onDisconnected(Client client, DisconnectedEvent event) {
        disconnected.add(event.getCode());
    }

    @Override
    public void onSubscribed(Client client, ServerSubscribedEvent event) {
        serverSide.add(event.getChannel());
    }

    @Override
    public void onError(Client client, ErrorEvent event) {
        System.err.println(name + ": " + event.getError());
    }

    static String nameOf(ClientInfo info) {
        return Stage.member(info.getConnInfo(), "name");
    }

    /** A subscription that can recover, and all that it hears. */
    static final class Ear extends SubscriptionEventListener {
        final Subscription subscription;
        final List<SubscribedEvent> subscribed = new CopyOnWriteArrayList<>();
        final List<Integer> unsubscribed = new CopyOnWriteArrayList<>();
        final List<PublicationEvent> heard = new CopyOnWriteArrayList<>();
        final List<String> joined = new CopyOnWriteArrayList<>();
        final List<String> left = new CopyOnWriteArrayList<>();

        Ear(Person person, String room) throws DuplicateSubscriptionException {
            SubscriptionOptions options = new SubscriptionOptions();
            options.setPositioned(true);
            options.setRecoverable(true);
            options.setJoinLeave(true);
            options.setMinResubscribeDelay(50);
            options.setMaxResubscribeDelay(500);
            subscription = person.client.newSubscription(room, options, this);
        }

        SubscribedEvent subscribe() throws InterruptedException {
            int before = subscribed.size();
            subscription.subscribe();
            Stage.until("subscribed", () -> subscribed.size() > before);
            return subscribed.get(subscribed.size() - 1);
        }

        /** Publishes so many messages without waiting for answers, and then for all of them. */
        void say(int count) throws Exception {
            saying(IntStream.range(0, count).mapToObj(index -> "{\"text\":\"" + index + "\"}").toList()).get();
        }

        CompletableFuture<Void> saying(List<String> messages) {
            var answers = messages.stream()
                    .map(message -> Stage.<PublishResult>ask(
                            answer -> subscription.publish(Stage.bytes(message), answer)));
            return CompletableFuture.allOf(answers.toArray(CompletableFuture[]::new));
        }

        /** Every offset was heard, once and in order; a push may come after the publish's answer. */
        void heardAll(long first, long last) throws InterruptedException {
            Stage.until("offsets up to " + last,
                    () -> !heard.isEmpty() && heard.get(heard.size() - 1).getOffset() >= last);
            Stage.equal(heard.stream().map(PublicationEvent::getOffset).toList(),
                    LongStream.rangeClosed(first, last).boxed().toList());
        }

        @Override
        public void onSubscribed(Subscription subscription, SubscribedEvent event) {
            subscribed.add(event);
        }

        @Override
        public void onUnsubscribed(Subscription subscription, UnsubscribedEvent event) {
            unsubscribed.add(event.getCode());
        }

        @Override
        public void onPublication(Subscription subscription, PublicationEvent event) {
            heard.add(event);
        }

        @Override
        public void onJoin(Subscription subscription, JoinEvent event) {
            joined.add(nameOf(event.getInfo()));
        }

        @Override
        public void onLeave(Subscription subscription, LeaveEvent event) {
            left.add(nameOf(event.getInfo()));
        }
    }
}
