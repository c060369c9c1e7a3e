*** Settings ***
Documentation       Orders that are taken, given up and refused.
...                 With SHOP_SHOW_FAILURE=1 one test forgets the shipping, and fails.
Library             ../keywords/ShopKeywords.py

*** Variables ***
${DECLINED CARD}    4000000000000002

*** Test Cases ***
An Order Is Paid And Shipping Is Added
    [Tags]    smoke
    ${total}    Evaluate    1250 if os.environ.get("SHOP_SHOW_FAILURE") == "1" else 1740    modules=os
    ${order}    Order    mug
    Status Should Be    201
    Should Be Equal    ${order}[state]    paid
    Should Be Equal As Integers    ${order}[total_cents]    ${total}

A Declined Card Is Told
    ${answer}    Order    lamp    card=${DECLINED CARD}
    Status Should Be    402
    Should Be Equal    ${answer}[error]    the card was declined

An Order Can Be Cancelled
    ${order}    Order    chair
    ${cancelled}    Ask    DELETE    /orders/${order}[id]
    Should Be Equal    ${cancelled}[state]    cancelled

More Than There Is Cannot Be Ordered
    Order    chair    ${1000000000}
    Status Should Be    409
