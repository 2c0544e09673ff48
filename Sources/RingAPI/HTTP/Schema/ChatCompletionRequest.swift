// POST /v1/chat/completions, as a client writes it.

import Foundation
import Hummingbird
import Text
import Wire

/// OpenAI's chat completion, with `chat_template_kwargs` and `add_generation_prompt` as vLLM has them.
struct ChatCompletionRequest {
    /// Messages for the template; a content of text parts is joined to one text.
    var messages: JinjaValue
    /// Passed to the template as they are.
    var tools: JinjaValue?
    var templateArguments: [String: JinjaValue]
    var addGenerationPrompt: Bool
    /// `nil`: as many as the context has room for.
    var tokensMax: Int?
    /// Alternatives wanted for each token; `nil` for no log-probabilities.
    var topLogprobs: Int?
    var sampling: SamplingFields
    /// What the client expects the answer to be, as when a file is to be edited.
    var prediction: String?

    /// Most messages in one conversation.
    static let messagesMax = 4096

    init(body: ByteBuffer) throws {
        let fields = try RequestBody.decode(Fields.self, from: body)
        sampling = fields.sampling
        tokensMax = fields.tokensMax
        topLogprobs = fields.topLogprobs
        addGenerationPrompt = fields.addGenerationPrompt

        // Templates print tools and arguments in the order in which the client wrote their members.
        let ordered: JinjaValue
        do {
            ordered = try JinjaValue(json: body.readableBytesView)
        } catch {
            throw APIError.invalid(nil, "the body is \(error)")
        }
        messages = try Self.readMessages(ordered["messages"])
        tools = ordered["tools"].flatMap { $0 == .none ? nil : $0 }
        prediction = try Self.readPrediction(ordered["prediction"])
        templateArguments = [:]
        switch ordered["chat_template_kwargs"] {
        case nil, .some(.none): break
        case .object(let arguments):
            for (name, value) in zip(arguments.keys, arguments.values) { templateArguments[name] = value }
        default: throw APIError.invalid("chat_template_kwargs", "chat_template_kwargs must be an object")
        }
    }

    /// The members that JSONDecoder can read.
    private struct Fields: Decodable {
        var sampling: SamplingFields
        var tokensMax: Int?
        var topLogprobs: Int?
        var addGenerationPrompt: Bool

        init(from decoder: any Decoder) throws {
            let members = try decoder.container(keyedBy: MemberName.self)
            sampling = try SamplingFields(from: decoder)
            let older: Int? = try members.read("max_tokens", in: 1...Int.max)
            tokensMax = try members.read("max_completion_tokens", in: 1...Int.max) ?? older
            addGenerationPrompt = try members.read("add_generation_prompt") ?? true
            let wanted: Bool = try members.read("logprobs") ?? false
            let top: Int? = try members.read("top_logprobs", in: 0...WireLimits.topLogprobsMax)
            if top != nil, !wanted { throw APIError.invalid("top_logprobs", "top_logprobs needs logprobs to be true") }
            topLogprobs = wanted ? top ?? 0 : nil
            let format: ResponseFormat? = try members.read("response_format")
            if let format, format.type != "text" {
                throw APIError.invalid("response_format", "response_format can only be text, not '\(format.type)'")
            }
        }

        private struct ResponseFormat: Decodable {
            var type: String
        }
    }
}

extension ChatCompletionRequest {
    private static func readMessages(_ value: JinjaValue?) throws -> JinjaValue {
        guard let value else { throw APIError.invalid("messages", "messages is required") }
        guard case .array(let messages) = value else { throw APIError.invalid("messages", "messages must be an array") }
        guard (1...messagesMax).contains(messages.count) else {
            throw APIError.invalid(
                "messages", "messages takes from 1 to \(messagesMax) messages, not \(messages.count)")
        }
        return .array(try messages.enumerated().map { try readMessage($1, path: "messages[\($0)]") })
    }

    private static func readMessage(_ value: JinjaValue, path: String) throws -> JinjaValue {
        guard case .object(var message) = value else { throw APIError.invalid(path, "\(path) must be an object") }
        guard case .string = message["role"] else {
            throw APIError.invalid("\(path).role", "\(path).role must be a text such as 'user'")
        }
        switch message["content"] {
        case nil, .some(.none), .string: break
        case .array(let parts):
            message["content"] = .string(
                try parts.enumerated().map {
                    try readPart($1, path: "\(path).content[\($0)]")
                }.joined())
        default: throw APIError.invalid("\(path).content", "\(path).content must be a text or an array of text parts")
        }
        return .object(message)
    }

    private static func readPrediction(_ value: JinjaValue?) throws -> String? {
        switch value {
        case nil, .some(.none): return nil
        case .object(let prediction):
            guard case .string(let type) = prediction["type"], type == "content" else {
                throw APIError.invalid("prediction.type", "prediction.type must be 'content'")
            }
            switch prediction["content"] {
            case .string(let text): return text
            case .array(let parts):
                return try parts.enumerated().map { try readPart($1, path: "prediction.content[\($0)]") }.joined()
            default:
                throw APIError.invalid(
                    "prediction.content", "prediction.content must be a text or an array of text parts")
            }
        default: throw APIError.invalid("prediction", "prediction must be an object with a type and a content")
        }
    }

    private static func readPart(_ part: JinjaValue, path: String) throws -> String {
        guard case .string(let type) = part["type"] else {
            throw APIError.invalid("\(path).type", "\(path).type must be a text such as 'text'")
        }
        guard type == "text", case .string(let text) = part["text"] else {
            throw APIError.invalid(
                path, "\(path) is a part of type '\(type)'; only parts of type text with a text are understood")
        }
        return text
    }
}
