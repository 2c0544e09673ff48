// Prompts that make a model say a given answer: what speculation is measured with.

import FoundationEssentials

/// A prompt and an answer as they are written, in tokens of a word or a sign each.
///
/// The model that tools/bench/dictated_model.py makes says at each position what stands ``distance`` tokens back, and
/// takes ids of the upper half of its vocabulary for those of the lower half. So the answer, written in the upper half,
/// goes into the prompt where the model will look, and whoever guesses from the plain tokens seen so far has not seen
/// it.
struct Dictation: Equatable {
    let name: String
    /// The prompt with the answer in it.
    let prompt: [UInt32]
    let answer: [UInt32]

    /// As tools/bench/dictated_model.py has it.
    static let distance = 1024
    /// The first ids: no words.
    private static let firstWord: UInt32 = 16
    /// Letters of a token: longer words are several, as in the vocabularies of real models.
    private static let lettersMax = 7

    /// - Parameters:
    ///   - prompt: what is asked, which the answer may copy from.
    ///   - vocabularySize: of the model.
    init(_ name: String, prompt: String, answer: String, vocabularySize: Int) throws {
        var words: [String: UInt32] = [:]
        func tokens(_ text: String) -> [UInt32] {
            Self.words(of: text).map { word in
                let token = words[word] ?? Self.firstWord + UInt32(words.count)
                words[word] = token
                return token
            }
        }
        let asked = tokens(prompt)
        try self.init(name, asked: asked, answer: tokens(answer), vocabularySize: vocabularySize)
    }

    /// - Parameter asked: the prompt in plain tokens.
    init(_ name: String, asked: [UInt32], answer: [UInt32], vocabularySize: Int) throws {
        let half = UInt32(vocabularySize / 2)
        let largest = max(asked.max() ?? 0, answer.max() ?? 0)
        let room = Self.distance - answer.count
        guard !answer.isEmpty, room > 0, largest < half else {
            throw BenchError("\(name): an answer has 1 to \(Self.distance - 1) tokens, with ids below \(half)")
        }
        // Silence: tokens of which no two are alike, so that nothing is guessed from them.
        let silence = (0..<UInt32(max(0, room - asked.count))).map { half - 1 - $0 }
        guard silence.allSatisfy({ $0 > largest }) else { throw BenchError("\(name): too many words") }
        let plain = silence + asked
        self.name = name
        self.prompt = plain.dropLast(room) + answer.map { $0 + half } + plain.suffix(room)
        self.answer = answer
    }

    /// Reads NAME.prompt.txt and NAME.answer.txt of a folder.
    static func read(_ name: String, in folder: String, vocabularySize: Int) throws -> Dictation {
        let texts = try ["prompt", "answer"].map { part in
            try String(contentsOf: URL(filePath: "\(folder)/\(name).\(part).txt"), encoding: .utf8)
        }
        return try Dictation(name, prompt: texts[0], answer: texts[1], vocabularySize: vocabularySize)
    }

    /// An answer of so many tokens drawn from a few, which all but never goes on as it did before.
    static func noise(of kinds: Int, tokens: Int, vocabularySize: Int) throws -> Dictation {
        var state: UInt64 = 1
        let answer = (0..<tokens).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return firstWord + UInt32((state >> 33) % UInt64(kinds))
        }
        return try Dictation("noise", asked: [], answer: answer, vocabularySize: vocabularySize)
    }

    /// Words with the space before them, numbers digit by digit, signs, and other space as it comes: about what
    /// tokenizers of real models make of a text.
    static func words(of text: String) -> [String] {
        enum Kind { case letter, digit, space, sign }
        func kind(_ character: Character) -> Kind {
            if character.isLetter { return .letter }
            if character.isNumber { return .digit }
            return character.isWhitespace ? .space : .sign
        }
        var words: [String] = []
        var letters = 0
        for character in text {
            let last = words.last
            let before = last?.last.map(kind)
            let goesOn =
                switch kind(character) {
                case .letter: before == .letter && letters < lettersMax || last == " "
                case .space: before == .space
                case .digit: false
                case .sign: last == " "
                }
            if goesOn { words[words.count - 1].append(character) } else { words.append(String(character)) }
            letters = kind(character) == .letter ? (goesOn && before == .letter ? letters + 1 : 1) : 0
        }
        return words
    }
}
