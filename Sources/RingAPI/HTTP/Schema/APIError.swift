// What a client is told when a request cannot be served, in OpenAI's shape.

import Foundation
import Hummingbird

/// An error with its HTTP status. Its body is `{"error": {"message", "type", "param", "code"}}`.
struct APIError: Error, Equatable {
    var status: HTTPResponse.Status
    /// One sentence: what was wrong and what to do.
    var message: String
    var type: String
    /// The parameter it is about, as a path into the request's JSON.
    var parameter: String?
    var code: String?
    /// When to try again, in seconds.
    var retryAfterSeconds: Int?

    static func invalid(_ parameter: String?, _ message: String) -> APIError {
        APIError(status: .badRequest, message: message, type: "invalid_request_error", parameter: parameter)
    }

    static func notFound(_ message: String) -> APIError {
        APIError(status: .notFound, message: message, type: "invalid_request_error", code: "not_found")
    }

    static func modelNotFound(_ name: String, served: String) -> APIError {
        APIError(
            status: .notFound, message: "the model '\(name)' is not served here; this ring serves '\(served)'",
            type: "invalid_request_error", parameter: "model", code: "model_not_found")
    }
}

extension APIError {
    /// The refusal of a generation as its client sees it.
    init(_ refusal: GenerationRefusal) {
        switch refusal {
        case .ringNotReady(let reason):
            self = APIError(
                status: .serviceUnavailable, message: reason, type: "service_unavailable", code: "ring_not_ready",
                retryAfterSeconds: 2)
        case .contextExceeded(let prompt, let asked, let limit):
            self = .invalid(
                prompt >= limit ? "prompt" : "max_tokens",
                "the prompt has \(prompt) tokens and \(asked) were asked for, but the context holds \(limit); "
                    + "shorten the prompt or ask for fewer")
            code = "context_length_exceeded"
        case .busy(let waiting):
            self = APIError(
                status: .tooManyRequests, message: "\(waiting) requests are waiting already; try again in a moment",
                type: "rate_limit_error", code: "queue_full", retryAfterSeconds: 1)
        case .invalidPrompt(let reason):
            self = .invalid("prompt", reason)
        }
    }

    init(_ failure: GenerationFailure) {
        let source = failure.shard.map { " (reported by \($0))" } ?? ""
        self = APIError(
            status: .internalServerError, message: failure.reason + source, type: "server_error",
            code: "generation_failed")
    }

    /// Any error as one that a client may see; what is nobody's business outside becomes a plain 500.
    init(wrapping error: any Error) {
        switch error {
        case let error as APIError: self = error
        case let error as GenerationRefusal: self.init(error)
        case let error as GenerationFailure: self.init(error)
        case let error as HTTPError where error.status == .notFound:
            self = .notFound("there is no such route; see /v1/models, /v1/chat/completions, /v1/completions, /health")
        case let error as HTTPError where error.status == .contentTooLarge:
            self = APIError(
                status: .contentTooLarge, message: "the body is larger than \(RequestBody.bytesMax) bytes",
                type: "invalid_request_error", code: "body_too_large")
        case let error as HTTPError:
            self = APIError(
                status: error.status, message: error.body ?? error.status.reasonPhrase, type: "invalid_request_error")
        default:
            self = APIError(
                status: .internalServerError, message: "the request failed; the log of ring-api says why",
                type: "server_error", code: "internal_error")
        }
    }
}

extension APIError: Encodable {
    private enum Outer: String, CodingKey { case error }
    private enum Inner: String, CodingKey { case message, type, param, code }

    func encode(to encoder: any Encoder) throws {
        var outer = encoder.container(keyedBy: Outer.self)
        var inner = outer.nestedContainer(keyedBy: Inner.self, forKey: .error)
        try inner.encode(message, forKey: .message)
        try inner.encode(type, forKey: .type)
        try inner.encode(parameter, forKey: .param)
        try inner.encode(code, forKey: .code)
    }
}

extension APIError: HTTPResponseError {
    func response(from request: Request, context: some RequestContext) throws -> Response {
        var response = try JSONBody.response(self, status: status)
        if let retryAfterSeconds { response.headers[.retryAfter] = "\(retryAfterSeconds)" }
        return response
    }
}
