// Ends the work on a request when its client goes away.

import Hummingbird
import NIOCore

enum HangUp {
    /// Runs `operation` and cancels it as soon as the client's connection closes.
    /// - Parameter channel: the client's connection; `nil` when there is none, as in a test without a socket.
    static func cancelling<Value: Sendable>(
        _ channel: (any Channel)?, _ operation: @Sendable @escaping () async throws -> Value
    ) async throws -> Value {
        guard let channel else { return try await operation() }
        let (closed, continuation) = AsyncStream.makeStream(of: Void.self)
        channel.closeFuture.whenComplete { _ in continuation.finish() }
        return try await withThrowingTaskGroup(of: Value.self) { group in
            group.addTask(operation: operation)
            group.addTask {
                for await _ in closed {}
                throw CancellationError()
            }
            defer { group.cancelAll() }
            guard let value = try await group.next() else { throw CancellationError() }
            return value
        }
    }
}
