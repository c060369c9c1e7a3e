package shop;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A client of the shop that SHOP_URL names. */
final class Shop {
    static final String CARD = "4242424242424242";
    static final String DECLINED_CARD = "4000000000000002";

    private static final HttpClient CLIENT = HttpClient.newBuilder()
        .version(HttpClient.Version.HTTP_1_1)
        .connectTimeout(Duration.ofSeconds(10))
        .build();

    private Shop() {}

    /** Sends a request and waits for its answer. */
    static HttpResponse<String> ask(String method, String path, String body) throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(URI.create(System.getenv("SHOP_URL") + path))
            .timeout(Duration.ofSeconds(10))
            .method(method, body.isEmpty() ? BodyPublishers.noBody() : BodyPublishers.ofString(body))
            .build();
        return CLIENT.send(request, BodyHandlers.ofString());
    }

    /** Orders some pieces of one article. */
    static HttpResponse<String> order(String sku, int quantity, String card) throws IOException, InterruptedException {
        return ask("POST", "/orders", "{\"items\": {\"%s\": %d}, \"card\": \"%s\"}".formatted(sku, quantity, card));
    }

    /** A member of an answer's JSON object: the text of a string, or the digits of a number. */
    static String member(HttpResponse<String> answer, String name) {
        Matcher found = Pattern.compile("\"%s\": (?:\"([^\"]*)\"|(\\d+))".formatted(name)).matcher(answer.body());
        if (!found.find()) {
            throw new AssertionError("there is no " + name + " in " + answer.body());
        }
        return found.group(1) != null ? found.group(1) : found.group(2);
    }
}
