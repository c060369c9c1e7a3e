"""Failures as tools print them, written by hand after their formats, with the values that change from run to run."""

PYTEST = """\
    def test_pays(api):
        order = make_order(api)
>       assert api.pay(order).status_code == 200
E       assert 503 == 200
E        +  where 503 = <Response [503]>.status_code

tests/test_checkout.py:41: AssertionError
"""

PYTEST_DEEP = """\
tests/test_{name}.py:17: in test_{name}
    client.login(user)
shop/client.py:88: in login
    return self._send("POST", "/login", body)
shop/client.py:130: in _send
    raise ConnectionError(f"cannot reach {host}:{port}")
E   ConnectionError: cannot reach 10.0.3.{number}:8{number}
"""

PYTHON = """\
Traceback (most recent call last):
  File "/usr/lib/python3.11/unittest/case.py", line 57, in testPartExecutor
    yield
  File "/work/{number}/shop/stock.py", line {number}, in reserve
    raise OutOfStockError(sku)
shop.stock.OutOfStockError: SKU '{number}' is gone since 2026-11-23T07:{number}:02Z
"""

PLAYWRIGHT = """\
Error: expect(locator).toHaveText(expected) failed

Locator:  getByTestId('total')
Expected string: "€ 12.00"
Received string: "€ 0.00"
Timeout:  5000ms

    at CartPage.expectTotal (/work/{number}/pages/cart.ts:31:24)
    at /work/{number}/tests/cart.spec.ts:12:3
    at async WorkerMain._runTest (/work/node_modules/playwright/lib/worker/workerMain.js:302:7)
"""

JAVA = """\
org.springframework.web.client.ResourceAccessException: I/O error on POST request for "http://pay:{number}/v1/pay"
\tat org.springframework.web.client.RestTemplate.doExecute(RestTemplate.java:785)
\tat shop.pay.PayClient.pay(PayClient.java:52)
\tat shop.CheckoutTest.pays(CheckoutTest.java:{number})
\tat java.base/java.lang.reflect.Method.invoke(Method.java:580)
Caused by: java.net.ConnectException: Connection refused
\tat java.base/sun.nio.ch.Net.pollConnect(Native Method)
\tat shop.net.Pool.open(Pool.java:{number})
\tat shop.pay.PayClient.pay(PayClient.java:49)
\t... 9 more
"""

GO_PANIC = """\
panic: runtime error: invalid memory address or nil pointer dereference [recovered]
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x{number}]

goroutine {number} [running]:
testing.tRunner.func1.2({{0x10, 0x20}})
\t/usr/local/go/src/testing/testing.go:1545 +0x238
shop/pay.(*Client).Pay(0x0, {{0xc000{number}, 0x1}})
\t/work/shop/pay/client.go:{number} +0x1d
shop/pay_test.TestPays(0xc000{number})
\t/work/shop/pay/client_test.go:20 +0x44
"""

TESTIFY = """\
    client_test.go:{number}:
        \tError Trace:\t/work/shop/pay/client_test.go:{number}
        \tError:      \tNot equal:
        \t            \texpected: 200
        \t            \tactual  : 503
        \tTest:       \tTestPays
"""

JEST = """\
expect(received).toEqual(expected) // deep equality

Expected: {"total": 12}
Received: {"total": 0}

    at Object.<anonymous> (src/cart.test.ts:18:23)
"""
