"""Who subscribes hears of each invoice that is paid, from its cursor on, also after a kill."""

import json

from rpc import Http, WebSocket, check, same, until

START, END = "subscribe_invoice_payment", "unsubscribe_invoice_payment"


def heard(socket, count):
    """The next that is told, in order."""
    while len(socket.events) < count:
        kind, body = socket.frame_in()
        if kind == WebSocket.PING:
            socket.stream.sendall(socket.frame(body, WebSocket.PONG))
        else:
            same(kind, WebSocket.TEXT, "only events come")
            socket.events.append(json.loads(body))
    taken, socket.events = socket.events[:count], socket.events[count:]
    for one in taken:
        same(one["method"], "invoice_payment", "the name of what comes")
    return [one["params"]["result"] for one in taken]


def listener(daemon, *since):
    socket = WebSocket(daemon)
    return socket, socket.call(START, *since)


def paid(http, label):
    bolt11 = http.call("invoice", "7sat", label, "to ourselves")["bolt11"]
    return http.call("pay", bolt11)["payment_hash"]


def all_of_it(daemon):
    http = Http(daemon)
    until("it takes payments", lambda: http.call("getinfo")["intake"]["open"])
    other = http.call("sim_invoice", "3sat", "n1")["bolt11"]
    live, number = listener(daemon)
    tea = paid(http, "tea")
    until("another is paid", lambda: http.code("pay", other) == 0)
    cake = paid(http, "cake")
    both = heard(live, 2)
    same([(one["label"], one["payment_hash"], one["amount_msat"], one["to_self"]) for one in both],
         [("tea", tea, 7000, True), ("cake", cake, 7000, True)])
    same(live.call(END, number), True)
    http.call("delinvoice", "tea", "paid")
    pie = paid(http, "pie")
    same(live.call("getinfo")["id"], http.call("getinfo")["id"])
    same(live.events, [], "who has unsubscribed hears nothing")
    pages = http.call("payecs_events", since=0, events="invoice_payment")["events"]
    same((pages[:2], pages[2]["payment_hash"]), (both, pie))
    http.close()
    daemon.kill()
    daemon.start()
    http = Http(daemon)
    after, _ = listener(daemon, both[0]["cursor"])
    same(heard(after, 2), pages[1:], "what was before the kill")
    until("it takes payments", lambda: http.call("getinfo")["intake"]["open"])
    last = paid(http, "bun")
    [bun] = heard(after, 1)
    check(bun["cursor"] > pages[2]["cursor"] and bun["payment_hash"] == last, bun)
    for bad in (10 ** 6, -1, "now"):
        same(after.code(START, bad), -32602, bad)
