// How single tokens are shown in log-probabilities.

import Text
import Wire

/// Writes tokens as clients expect to read them.
struct TokenText: Sendable {
    let tokenizer: Tokenizer?

    /// The token's text; a part of a character shows as U+FFFD, and without a tokenizer as its id.
    func text(_ id: UInt32) -> String {
        tokenizer?.decode(CollectionOfOne(id), skipSpecialTokens: false) ?? "token_id:\(id)"
    }

    /// JSON has no infinity; a token that cannot be chosen gets a log-probability no real one has, as vLLM writes it.
    func finite(_ logprob: Float) -> Float {
        logprob.isFinite ? logprob : -9999
    }

    func chat(_ choice: TokenChoice) -> ChatLogprobs.Token {
        ChatLogprobs.Token(
            token: text(choice.token), logprob: finite(choice.logprob), bytes: tokenizer?.bytes(of: choice.token),
            topLogprobs: choice.top.map {
                ChatLogprobs.Alternative(
                    token: text($0.token), logprob: finite($0.logprob), bytes: tokenizer?.bytes(of: $0.token))
            })
    }

    /// Alternatives by their text; the chosen token is among them.
    func alternatives(_ choice: TokenChoice) -> [String: Float] {
        var entries = [text(choice.token): finite(choice.logprob)]
        for other in choice.top where other.token != choice.token {
            // Two tokens may show alike; the likelier one stands for both.
            entries[text(other.token)] = max(entries[text(other.token)] ?? -.infinity, finite(other.logprob))
        }
        return entries
    }

    /// Columns of log-probabilities for tokens that follow each other.
    /// - Parameters:
    ///   - first: a token that has no log-probability because nothing precedes it.
    ///   - offset: where the first one begins in the text, in Unicode scalars.
    func columns(first: UInt32?, _ choices: [TokenChoice], offset: Int) -> CompletionResponse.Logprobs {
        var columns = CompletionResponse.Logprobs()
        var offset = offset
        func append(_ id: UInt32, _ logprob: Float?, _ top: [String: Float]?) {
            let text = text(id)
            columns.tokens.append(text)
            columns.tokenLogprobs.append(Nullable(logprob))
            columns.topLogprobs.append(Nullable(top))
            columns.textOffset.append(offset)
            offset += text.unicodeScalars.count
        }
        if let first { append(first, nil, nil) }
        for choice in choices { append(choice.token, finite(choice.logprob), alternatives(choice)) }
        return columns
    }
}
