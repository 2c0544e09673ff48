// Every route, through the router without a socket.

import Foundation
import Hummingbird
import Logging
import NIOCore
import Synchronization
import Testing
import Wire

@testable import RingAPI

/// Sends one request and collects its answer.
struct RouterClient {
    let responder: RouterResponder<APIRequestContext>
    let generator: ScriptedGenerator

    init(_ generator: ScriptedGenerator, tokenizer: Bool = true) throws {
        self.generator = generator
        responder = APIRouter.responder(
            model: try TestModel.make(tokenizer: tokenizer), fingerprint: "0123456789abcdef", generator: generator)
    }

    struct Answer {
        var status: Int
        var headers: HTTPFields
        var text: String

        var json: [String: Any] { (try? JSONSerialization.jsonObject(with: Data(text.utf8))) as? [String: Any] ?? [:] }
        var error: [String: Any] { json["error"] as? [String: Any] ?? [:] }
        var choice: [String: Any] { (json["choices"] as? [[String: Any]])?.first ?? [:] }
        /// The data of each server-sent event, as JSON but for the last.
        var events: [String] {
            text.components(separatedBy: "\n\n").filter { !$0.isEmpty }.map { String($0.dropFirst("data: ".count)) }
        }
    }

    func send(_ method: HTTPRequest.Method, _ path: String, _ body: String = "") async throws -> Answer {
        let request = Request(
            head: HTTPRequest(method: method, scheme: "http", authority: "ring", path: path),
            body: .init(buffer: ByteBuffer(string: body)))
        let response = try await responder.respond(
            to: request, context: APIRequestContext(logger: Logger(label: "test")))
        let collector = CollectedBody()
        try await response.body.write(BodyCollector(body: collector))
        return Answer(status: response.status.code, headers: response.headers, text: await collector.text)
    }

    func chat(_ members: String) async throws -> Answer {
        try await send(.post, "/v1/chat/completions", "{\(members)}")
    }

    func complete(_ members: String) async throws -> Answer {
        try await send(.post, "/v1/completions", "{\(members)}")
    }
}

actor CollectedBody {
    private var bytes = ByteBuffer()
    var text: String { String(buffer: bytes) }
    func append(_ buffer: ByteBuffer) { bytes.writeImmutableBuffer(buffer) }
}

struct BodyCollector: ResponseBodyWriter {
    let body: CollectedBody
    mutating func write(_ buffer: ByteBuffer) async throws { await body.append(buffer) }
    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}

private let hello: [UInt32] = Array("Hello".utf8.map(UInt32.init))
private let messages = #""messages": [{"role": "user", "content": "Hi"}]"#

@Suite struct RouteTests {
    @Test func chatRendersTheTemplateAndAnswers() async throws {
        let client = try RouterClient(ScriptedGenerator(tokens: hello, end: .stopToken(256)))
        let answer = try await client.chat(messages)
        #expect(answer.status == 200)
        #expect((answer.choice["message"] as? [String: Any])?["content"] as? String == "Hello")
        #expect(answer.choice["finish_reason"] as? String == "stop")
        let usage = try #require(answer.json["usage"] as? [String: Any])
        #expect(usage["prompt_tokens"] as? Int == "user:Hi;assistant:".utf8.count)
        #expect(usage["completion_tokens"] as? Int == 5)
        let asked = try #require(client.generator.requests.withLock { $0.first })
        #expect(asked.prompt == "user:Hi;assistant:".utf8.map(UInt32.init))
        #expect(asked.stopTokens == [256])
        #expect(asked.sampling.temperature == 0.5 && asked.sampling.topK == 7, "the model's own defaults")
        #expect(asked.tokensMax == 100 - asked.prompt.count, "as many as the context has room for")
    }

    @Test func chatStreamsTheSameText() async throws {
        let client = try RouterClient(ScriptedGenerator(tokens: hello, end: .stopToken(256)))
        let answer = try await client.chat(messages + #", "stream": true, "stream_options": {"include_usage": true}"#)
        #expect(answer.headers[.contentType]?.hasPrefix("text/event-stream") == true)
        #expect(answer.events.last == "[DONE]")
        let chunks = try answer.events.dropLast().map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
        let choices = chunks.compactMap { ($0["choices"] as? [[String: Any]])?.first }
        let text = choices.compactMap { ($0["delta"] as? [String: Any])?["content"] as? String }.joined()
        #expect(text == "Hello")
        #expect((choices.first?["delta"] as? [String: Any])?["role"] as? String == "assistant")
        #expect(choices.last?["finish_reason"] as? String == "stop")
        #expect((chunks.last?["usage"] as? [String: Any])?["completion_tokens"] as? Int == 5)
        #expect(Set(chunks.compactMap { $0["id"] as? String }).count == 1)
    }

    @Test func aLinkToAModelDirectoryIsServedByItsName() throws {
        #expect(try TestModel.make(isLinked: true).name == "linked")
    }

    @Test func samplingParametersReachTheRing() async throws {
        let client = try RouterClient(ScriptedGenerator(tokens: hello))
        let answer = try await client.chat(
            messages + """
                , "temperature": 0.25, "top_p": 0.5, "top_k": 3, "min_p": 0.125, "seed": -1, "presence_penalty": 1,
                "frequency_penalty": -1, "repetition_penalty": 1.5, "logit_bias": {"65": 2.5}, "max_completion_tokens": 3,
                "ignore_eos": true, "stop_token_ids": [7], "chat_template_kwargs": {"shout": true}, "logprobs": true,
                "top_logprobs": 2
                """)
        #expect(answer.status == 200)
        let asked = try #require(client.generator.requests.withLock { $0.first })
        var expected = Sampling()
        (expected.temperature, expected.topP, expected.topK, expected.minP) = (0.25, 0.5, 3, 0.125)
        (expected.seed, expected.presencePenalty, expected.frequencyPenalty) = (UInt64.max, 1, -1)
        (expected.repetitionPenalty, expected.logprobs, expected.topLogprobs) = (1.5, true, 2)
        expected.logitBias = [LogitBias(token: 65, bias: 2.5)]
        #expect(asked.sampling == expected)
        #expect(asked.tokensMax == 3 && asked.stopTokens == [7])
        #expect(asked.prompt.last == UInt32(UInt8(ascii: "!")), "arguments reach the template")
    }

    @Test(
        arguments: [
            #""Help!""#, #"[{"type": "text", "text": "He"}, {"type": "text", "text": "lp!"}]"#,
        ], [false, true])
    func whatIsPredictedReachesTheRingAndIsCounted(content: String, streams: Bool) async throws {
        let client = try RouterClient(ScriptedGenerator(tokens: hello, end: .stopToken(256)))
        let answer = try await client.chat(
            messages + #", "prediction": {"type": "content", "content": \#(content)}"#
                + (streams ? #", "stream": true, "stream_options": {"include_usage": true}"# : ""))
        #expect(client.generator.requests.withLock { $0.first?.prediction } == "Help!".utf8.map(UInt32.init))
        let last = streams ? try #require(answer.events.dropLast().last) : answer.text
        let json = try JSONSerialization.jsonObject(with: Data(last.utf8)) as? [String: Any]
        let usage = try #require(json?["usage"] as? [String: Any])
        let details = usage["completion_tokens_details"] as? [String: Int]
        #expect(details == ["accepted_prediction_tokens": 3, "rejected_prediction_tokens": 2])
    }

    @Test func withoutAPredictionNothingIsSaidOfIt() async throws {
        let client = try RouterClient(ScriptedGenerator(tokens: hello, end: .stopToken(256)))
        let answer = try await client.chat(messages + #", "prediction": null"#)
        let usage = try #require(answer.json["usage"] as? [String: Any])
        #expect(usage["completion_tokens_details"] == nil)
    }

    @Test(
        arguments: [
            (#""Help""#, "prediction"), (#"{"content": "x"}"#, "prediction.type"),
            (#"{"type": "image", "content": "x"}"#, "prediction.type"),
            (#"{"type": "content"}"#, "prediction.content"),
            (#"{"type": "content", "content": 3}"#, "prediction.content"),
            (#"{"type": "content", "content": [{"type": "image"}]}"#, "prediction.content[0]"),
        ])
    func aPredictionOfAnotherShapeIsRefused(prediction: String, parameter: String) async throws {
        let client = try RouterClient(ScriptedGenerator(tokens: hello))
        let answer = try await client.chat(messages + #", "prediction": \#(prediction)"#)
        #expect(answer.status == 400)
        #expect(answer.error["param"] as? String == parameter)
    }

    @Test func choicesGetSeedsOfTheirOwn() async throws {
        let client = try RouterClient(ScriptedGenerator(tokens: hello))
        let answer = try await client.chat(messages + #", "n": 3, "seed": 5"#)
        #expect((answer.json["choices"] as? [[String: Any]])?.compactMap { $0["index"] as? Int } == [0, 1, 2])
        let seeds = client.generator.requests.withLock { $0.map(\.sampling.seed) }
        #expect(Set(seeds).count == 3 && seeds.first == 5)
    }

    @Test func stopTextsEndTheAnswer() async throws {
        let client = try RouterClient(ScriptedGenerator(tokens: hello))
        for stop in [#""ll""#, #"["x", "ll"]"#] {
            let answer = try await client.chat(messages + #", "stop": \#(stop)"#)
            #expect((answer.choice["message"] as? [String: Any])?["content"] as? String == "He")
            #expect(answer.choice["finish_reason"] as? String == "stop")
        }
    }

    @Test func textPartsAreJoinedAndOthersRefused() async throws {
        let client = try RouterClient(ScriptedGenerator(tokens: hello))
        let parts = #"[{"type": "text", "text": "H"}, {"type": "text", "text": "i"}]"#
        _ = try await client.chat(#""messages": [{"role": "user", "content": \#(parts)}]"#)
        #expect(client.generator.requests.withLock { $0.first?.prompt } == "user:Hi;assistant:".utf8.map(UInt32.init))
        let image = #"[{"type": "image_url", "image_url": {"url": "x"}}]"#
        let answer = try await client.chat(#""messages": [{"role": "user", "content": \#(image)}]"#)
        #expect(answer.status == 400 && answer.error["param"] as? String == "messages[0].content[0]")
    }

    @Test func aTemplateThatRefusesIsTheClientsError() async throws {
        let client = try RouterClient(ScriptedGenerator())
        let answer = try await client.chat(#""messages": [{"role": "user", "content": "refuse"}]"#)
        #expect(answer.status == 400 && answer.error["message"] as? String == "no such talk")
    }

    @Test func completionTakesTextAndTokens() async throws {
        let client = try RouterClient(ScriptedGenerator(tokens: hello))
        let answer = try await client.complete(#""prompt": [[1, 2], [3]], "max_tokens": 2, "return_token_ids": true"#)
        let choices = try #require(answer.json["choices"] as? [[String: Any]])
        #expect(choices.map { $0["text"] as? String } == ["He", "He"])
        #expect(choices.map { $0["prompt_token_ids"] as? [Int] } == [[1, 2], [3]])
        #expect(choices[0]["token_ids"] as? [Int] == [72, 101])
        #expect((answer.json["usage"] as? [String: Any])?["prompt_tokens"] as? Int == 3)
        _ = try await client.complete(#""prompt": "Hi""#)
        #expect(client.generator.requests.withLock { $0.last?.prompt } == [72, 105])
        #expect(client.generator.requests.withLock { $0.last?.tokensMax } == 16)
    }

    @Test func echoBringsThePromptsLogprobs() async throws {
        let client = try RouterClient(ScriptedGenerator(tokens: hello))
        let answer = try await client.complete(#""prompt": "abc", "max_tokens": 1, "echo": true, "logprobs": 1"#)
        #expect(answer.choice["text"] as? String == "abcH")
        let logprobs = try #require(answer.choice["logprobs"] as? [String: Any])
        #expect(logprobs["tokens"] as? [String] == ["a", "b", "c", "H"])
        let values = try #require(logprobs["token_logprobs"] as? [Any])
        #expect(values[0] is NSNull && values[1] as? Double == -98 / 8.0)
        #expect(logprobs["text_offset"] as? [Int] == [0, 1, 2, 3])
        let nothing = try await client.complete(#""prompt": "abc", "max_tokens": 0, "echo": true, "logprobs": 1"#)
        #expect(nothing.choice["text"] as? String == "abc")
    }

    @Test func withoutATokenizerOnlyTokensAreTaken() async throws {
        let client = try RouterClient(ScriptedGenerator(tokens: hello), tokenizer: false)
        let tokens = try await client.complete(#""prompt": [1, 2], "return_token_ids": true, "max_tokens": 5"#)
        #expect(tokens.choice["token_ids"] as? [Int] == hello.map(Int.init))
        #expect(tokens.choice["text"] as? String == "")
        for answer in [try await client.complete(#""prompt": "Hi""#), try await client.chat(messages)] {
            #expect(answer.status == 400 && (answer.error["message"] as? String)?.contains("tokenizer") == true)
        }
    }

    @Test(arguments: [
        (#""temperature": -1"#, "temperature"), (#""top_p": 1.5"#, "top_p"), (#""n": 0"#, "n"),
        (#""max_tokens": 0"#, "max_tokens"), (#""stop": [7]"#, "stop"), (#""stop": [""]"#, "stop"),
        (#""logit_bias": {"x": 1}"#, "logit_bias"), (#""logit_bias": {"1": 101}"#, "logit_bias"),
        (#""top_logprobs": 3"#, "top_logprobs"), (#""stream_options": {}"#, "stream_options"),
        (#""response_format": {"type": "json_object"}"#, "response_format"), (#""seed": 1.5"#, "seed"),
        (#""chat_template_kwargs": []"#, "chat_template_kwargs"),
    ])
    func wrongMembersAreNamed(_ member: String, _ parameter: String) async throws {
        let client = try RouterClient(ScriptedGenerator())
        let answer = try await client.chat("\(messages), \(member)")
        #expect(answer.status == 400)
        #expect((answer.error["param"] as? String)?.hasPrefix(parameter) == true, "\(answer.text)")
        #expect(client.generator.requests.withLock { $0.isEmpty })
    }

    @Test(arguments: ["", "{", "[]", #"{"messages": "x"}"#, #"{"messages": [{}]}"#, "{}", #"{"messages": []}"#])
    func bodiesThatCannotBeReadAreRefused(_ body: String) async throws {
        let client = try RouterClient(ScriptedGenerator())
        let answer = try await client.send(.post, "/v1/chat/completions", body)
        #expect(answer.status == 400 && answer.error["type"] as? String == "invalid_request_error")
    }

    @Test func deepNestingIsRefused() async throws {
        let client = try RouterClient(ScriptedGenerator())
        let body = #"{"messages": "# + String(repeating: "[", count: 1_000_000)
        #expect(try await client.send(.post, "/v1/chat/completions", body).status == 400)
    }

    @Test func refusalsHaveTheirStatus() async throws {
        let cases: [(GenerationRefusal, Int, String)] = [
            (.ringNotReady("layers 1–2 are held by no shard"), 503, "layers 1–2"),
            (.contextExceeded(promptTokens: 90, tokensMax: 20, contextTokensMax: 100), 400, "100"),
            (.busy(waiting: 9), 429, "9"), (.invalidPrompt("token 999 is unknown"), 400, "999"),
        ]
        for (refusal, status, phrase) in cases {
            let client = try RouterClient(ScriptedGenerator(refusal: refusal))
            for members in [messages, messages + #", "stream": true"#] {
                let answer = try await client.chat(members)
                #expect(answer.status == status)
                #expect((answer.error["message"] as? String)?.contains(phrase) == true)
                #expect((answer.headers[.retryAfter] != nil) == (status == 503 || status == 429))
            }
        }
    }

    @Test func aFailureOnTheWayIsReported() async throws {
        let failure = GenerationFailure(reason: "the ring broke", shard: "b")
        let client = try RouterClient(ScriptedGenerator(tokens: hello, failure: failure))
        let whole = try await client.chat(messages)
        #expect(whole.status == 500 && (whole.error["message"] as? String)?.contains("the ring broke") == true)
        let stream = try await client.chat(messages + #", "stream": true"#)
        #expect(stream.status == 200)
        #expect(
            stream.events.last?.contains("the ring broke") == true,
            "the last event says why, and [DONE] does not follow")
    }

    @Test func modelsAreAcceptedByTheirNames() async throws {
        let client = try RouterClient(ScriptedGenerator(tokens: hello))
        for name in ["default_model", "tiny"] {
            #expect(try await client.chat(messages + #", "model": "\#(name)""#).status == 200)
        }
        let answer = try await client.chat(messages + #", "model": "other""#)
        #expect(answer.status == 404 && answer.error["code"] as? String == "model_not_found")
        let list = try await client.send(.get, "/v1/models")
        #expect((list.json["data"] as? [[String: Any]])?.first?["id"] as? String == "tiny")
        #expect(try await client.send(.get, "/v1/models/tiny").status == 200)
        #expect(try await client.send(.get, "/v1/models/other").status == 404)
    }

    @Test func healthSaysWhatIsMissing() async throws {
        #expect(try await RouterClient(ScriptedGenerator()).send(.get, "/health").status == 200)
        let client = try RouterClient(ScriptedGenerator(state: .incomplete("layers 0–1 are held by no shard")))
        let answer = try await client.send(.get, "/health")
        #expect(answer.status == 503 && answer.json["message"] as? String == "layers 0–1 are held by no shard")
    }

    @Test func otherRoutesAndMethodsAreErrorsInTheSameShape() async throws {
        let client = try RouterClient(ScriptedGenerator())
        let absent = try await client.send(.get, "/v1/nothing")
        #expect(absent.status == 404 && absent.error["message"] is String)
        let wrong = try await client.send(.get, "/v1/chat/completions")
        #expect(wrong.status == 405 && wrong.error["message"] is String)
    }
}
