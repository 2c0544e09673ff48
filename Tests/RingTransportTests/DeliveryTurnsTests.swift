// Tests of reading ahead while a delivery lasts.

import Testing

@testable import RingTransport

@Suite struct DeliveryTurnsTests {
    @Test func oneFrameIsReadWhileAnotherIsDelivered() throws {
        let turns = DeliveryTurns()
        let events = EventLog<String>()
        #expect(turns.beginReading())
        let place = turns.didRead(passesReading: true)
        let other = try LinkThread(name: "other") {
            guard turns.beginReading() else { return }
            let place = turns.didRead(passesReading: false)
            events.append("read")
            guard turns.beginDelivery(at: place) else { return }
            events.append("delivered")
            turns.endDelivery()
        }
        try events.first { $0 == "read" }
        // Although the other frame was ready first, this one was read before it.
        #expect(turns.beginDelivery(at: place))
        #expect(events.all == ["read"])
        turns.endDelivery()
        other.join()
        #expect(events.all == ["read", "delivered"])
    }

    @Test func whatWasReadIsDeliveredAfterTheEnd() {
        let turns = DeliveryTurns()
        #expect(turns.beginReading())
        let place = turns.didRead(passesReading: false)
        turns.endReading()
        #expect(turns.beginDelivery(at: place))
        turns.endDelivery()
        #expect(!turns.beginReading())
    }

    @Test func closingReleasesThoseWhoWait() throws {
        let turns = DeliveryTurns()
        let events = EventLog<Bool>()
        #expect(turns.beginReading())
        let place = turns.didRead(passesReading: false)
        let other = try LinkThread(name: "other") { events.append(turns.beginReading()) }
        turns.close()
        other.join()
        #expect(events.all == [false])
        #expect(!turns.beginDelivery(at: place))
    }
}
