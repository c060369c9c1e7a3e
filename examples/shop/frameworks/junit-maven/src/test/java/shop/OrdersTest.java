package shop;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.net.http.HttpResponse;
import org.junit.jupiter.api.Test;

class OrdersTest {
    /** A mug with shipping; SHOP_SHOW_FAILURE=1 forgets the shipping, so that one test fails. */
    private static final String TOTAL = "1".equals(System.getenv("SHOP_SHOW_FAILURE")) ? "1250" : "1740";

    @Test
    void anOrderIsPaidAndShippingIsAdded() throws Exception {
        HttpResponse<String> answer = Shop.order("mug", 1, Shop.CARD);
        assertEquals(201, answer.statusCode());
        assertEquals("paid", Shop.member(answer, "state"));
        assertEquals(TOTAL, Shop.member(answer, "total_cents"));
    }

    @Test
    void aDeclinedCardIsTold() throws Exception {
        HttpResponse<String> answer = Shop.order("lamp", 1, Shop.DECLINED_CARD);
        assertEquals(402, answer.statusCode());
        assertEquals("the card was declined", Shop.member(answer, "error"));
    }

    @Test
    void anOrderCanBeCancelled() throws Exception {
        String order = Shop.member(Shop.order("chair", 1, Shop.CARD), "id");
        assertEquals("cancelled", Shop.member(Shop.ask("DELETE", "/orders/" + order, ""), "state"));
    }

    @Test
    void moreThanThereIsCannotBeOrdered() throws Exception {
        assertEquals(409, Shop.order("chair", 1_000_000_000, Shop.CARD).statusCode());
    }
}
