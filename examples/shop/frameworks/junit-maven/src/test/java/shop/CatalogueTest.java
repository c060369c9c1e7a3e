package shop;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.http.HttpResponse;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CatalogueTest {
    @ParameterizedTest
    @ValueSource(strings = {"mug", "lamp", "chair"})
    void everyArticleIsSold(String sku) throws Exception {
        HttpResponse<String> answer = Shop.ask("GET", "/products", "");
        assertEquals(200, answer.statusCode());
        assertTrue(answer.body().contains("\"sku\": \"" + sku + "\""), answer.body());
    }

    @Test
    void whatIsNotThereIsNotFound() throws Exception {
        assertEquals(404, Shop.ask("GET", "/articles", "").statusCode());
    }
}
