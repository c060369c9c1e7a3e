*** Settings ***
Documentation       What the shop sells.
Library             ../keywords/ShopKeywords.py
Library             Collections

*** Test Cases ***
The Catalogue Holds Three Articles
    ${products}    Ask    GET    /products
    Status Should Be    200
    Length Should Be    ${products}    3

Prices Are Whole Cents
    ${products}    Ask    GET    /products
    FOR    ${product}    IN    @{products}
        Should Be True    isinstance($product["price_cents"], int)
    END

What Is Not There Is Not Found
    Ask    GET    /articles
    Status Should Be    404
