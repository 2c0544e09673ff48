// A response that is a stream of events, ended when its client goes away.

import Hummingbird
import Logging

enum EventStream {
    /// - Parameter produce: sends values until it returns; an error it throws becomes the last event.
    static func response<Event: Encodable & Sendable>(
        _ context: APIRequestContext,
        _ produce: @Sendable @escaping (_ send: (Event) async throws -> Void) async throws -> Void
    ) -> Response {
        let body = ResponseBody { writer in
            let (events, continuation) = AsyncStream.makeStream(of: ByteBuffer.self)
            let producer = Task {
                defer { continuation.finish() }
                do {
                    try await HangUp.cancelling(context.channel) {
                        try await produce { continuation.yield(try ServerSentEvents.event($0)) }
                    }
                    continuation.yield(ServerSentEvents.done)
                } catch is CancellationError {
                    context.logger.debug("the client went away")
                } catch {
                    context.logger.warning("a stream ended early: \(error)")
                    if let event = try? ServerSentEvents.event(APIError(wrapping: error)) { continuation.yield(event) }
                }
            }
            defer { producer.cancel() }
            for await event in events { try await writer.write(event) }
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: ServerSentEvents.headers, body: body)
    }
}
