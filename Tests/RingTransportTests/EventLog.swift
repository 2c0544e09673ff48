// What happened on other threads, for tests to wait for.

import Logging
import Testing

@testable import RingTransport

/// Collects events and waits until they are what a test expects, however long that takes on a busy machine.
final class EventLog<Event: Sendable>: Sendable {
    private let events = Monitor<[Event]>([])

    func append(_ event: Event) {
        events.withLock { $0.append(event) }
        events.signal()
    }

    var all: [Event] { events.withLock { $0 } }

    /// Waits until `find` finds what it looks for.
    /// - Throws: a test failure with the events so far when half a minute was not enough.
    @discardableResult
    func wait<Found>(for find: ([Event]) -> Found?, _ location: SourceLocation = #_sourceLocation) throws -> Found {
        let found = events.withLock(until: .now() + .seconds(30)) { find($0) }
        return try #require(found, "waited in vain; so far: \(all)", sourceLocation: location)
    }

    /// Waits for the first event that is as described.
    @discardableResult
    func first(
        _ location: SourceLocation = #_sourceLocation, where matches: (Event) -> Bool
    ) throws -> Event {
        try wait(for: { $0.first(where: matches) }, location)
    }

    /// Waits until there are `count` events.
    func wait(count: Int, _ location: SourceLocation = #_sourceLocation) throws -> [Event] {
        try wait(for: { $0.count >= count ? $0 : nil }, location)
    }
}

/// Keeps log lines for tests.
struct CapturedLog: LogHandler {
    let lines: EventLog<String>
    var logLevel = Logger.Level.debug
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        lines.append("\(event.level): \(event.message)")
    }

    static func logger() -> (Logger, EventLog<String>) {
        let lines = EventLog<String>()
        return (Logger(label: "test") { _ in CapturedLog(lines: lines) }, lines)
    }
}

/// Passes time in which a daemon under test must do nothing.
func letPass(_ duration: Duration) {
    _ = Monitor(()).withLock(until: .now() + duration) { _ in nil as Void? }
}
