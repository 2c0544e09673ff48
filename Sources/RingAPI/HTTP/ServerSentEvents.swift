// Writes a stream of JSON values as server-sent events, as OpenAI's API does.

import Hummingbird

enum ServerSentEvents {
    static let headers: HTTPFields = [.contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-cache"]

    static func event(_ value: some Encodable) throws -> ByteBuffer {
        var json = try JSONBody.encode(value)
        var event = ByteBuffer(string: "data: ")
        event.writeBuffer(&json)
        event.writeString("\n\n")
        return event
    }

    static let done = ByteBuffer(string: "data: [DONE]\n\n")
}
