/** The official Java SDK through every story; it speaks Protobuf alone. */
final class Main {
    private Main() {}

    public static void main(String[] args) {
        // The SDK's threads would keep the process: a minute after a good end, for ever after a bad one.
        int status = 1;
        try {
            Chat.play();
            Limits.play();
            Recovery.play();
            Tokens.play();
            status = 0;
        } catch (Throwable error) {
            error.printStackTrace();
        }
        System.exit(status);
    }
}
