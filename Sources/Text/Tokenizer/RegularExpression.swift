// A compiled regular expression over UTF-8 bytes, matched by PCRE2.

import CPCRE2

/// A regular expression compiled to machine code where the processor allows it. Immutable: any number of threads may
/// match with it at once, each with a scratch of its own.
///
/// Unchecked: PCRE2 promises that threads may share a compiled pattern once JIT compilation is done.
final class RegularExpression: @unchecked Sendable {
    private let code: OpaquePointer

    /// Compiles a pattern written for Oniguruma, the library tokenizer.json files are written for.
    ///
    /// - Parameter toMachineCode: false leaves matching to the interpreter, as where machine code is not to be had.
    convenience init(oniguruma pattern: String, toMachineCode: Bool = true) throws {
        // Unicode classes, `$` at the end of every line, and no matching of parts of characters.
        let options = PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C
        try self.init(try OnigurumaPattern.translated(pattern), options: options, toMachineCode: toMachineCode)
    }

    /// Compiles an expression that matches exactly this text.
    convenience init(literal text: String) throws {
        try self.init(text, options: PCRE2_LITERAL, toMachineCode: true)
    }

    private init(_ pattern: String, options: UInt32, toMachineCode: Bool) throws {
        guard pattern.utf8.count <= TokenizerLimits.patternBytesMax else {
            throw TokenizerProblem(
                "has \(pattern.utf8.count) bytes; at most \(TokenizerLimits.patternBytesMax) are supported")
        }
        let context = pcre2_compile_context_create_8(nil)
        defer { pcre2_compile_context_free_8(context) }
        // As Oniguruma has it: only a line feed ends a line.
        pcre2_set_newline_8(context, UInt32(PCRE2_NEWLINE_LF))
        var errorCode: Int32 = 0
        var errorOffset = 0
        var pattern = pattern
        let compiled = pattern.withUTF8 { bytes in
            pcre2_compile_8(
                bytes.baseAddress, bytes.count, PCRE2_UTF | options,
                &errorCode, &errorOffset, context)
        }
        guard let compiled else {
            throw TokenizerProblem(
                "is no regular expression: \(Self.message(errorCode)) at byte \(errorOffset) of \(quoted(pattern))")
        }
        code = compiled
        // Where this fails (a kernel that forbids making code at run time), the interpreter matches: slower, the same.
        if toMachineCode { pcre2_jit_compile_8(compiled, PCRE2_JIT_COMPLETE) }
    }

    deinit {
        pcre2_code_free_8(code)
    }

    /// The first match at or after an offset, as byte offsets into the subject; nil when there is none, and when the
    /// search would cost more than the limits of the scratch allow.
    ///
    /// - Parameter subject: valid UTF-8. What lies around it does not exist for the expression.
    /// - Parameter offset: at the start of a character, or the subject's end.
    func firstMatch(
        in subject: UnsafeBufferPointer<UInt8>, from offset: Int, _ scratch: RegularExpressionScratch
    ) -> ByteRange? {
        let options = PCRE2_NO_UTF_CHECK
        var status = pcre2_match_8(
            code, subject.baseAddress, subject.count, offset, options, scratch.matchData, scratch.context)
        if status == PCRE2_ERROR_JIT_STACKLIMIT {
            status = pcre2_match_8(
                code, subject.baseAddress, subject.count, offset, options | PCRE2_NO_JIT, scratch.matchData,
                scratch.context)
        }
        guard status >= 0, let offsets = pcre2_get_ovector_pointer_8(scratch.matchData) else { return nil }
        return ByteRange(start: offsets[0], end: offsets[1])
    }

    private static func message(_ errorCode: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = pcre2_get_error_message_8(errorCode, &buffer, buffer.count)
        return count < 0 ? "error \(errorCode)" : String(decoding: buffer.prefix(Int(count)), as: UTF8.self)
    }
}

/// What one thread needs to match: where PCRE2 puts its results, its stack, and the limits on a search.
final class RegularExpressionScratch {
    fileprivate let matchData: OpaquePointer?
    fileprivate let context: OpaquePointer?
    private let stack: OpaquePointer?

    /// Stack for compiled patterns. They use little of it: only what repeats a group needs more with each round, and
    /// what does not fit is matched by the interpreter, whose memory has PCRE2's own limit (20 MB).
    private static let stackBytes = 32 << 10
    private static let stackBytesMax = 1 << 20

    /// Backtracking steps allowed from one place of the text: PCRE2's default, written down so that a build with
    /// another one behaves the same. Patterns that split text need a handful, and as many as a run of blanks is long.
    private static let stepsMax: UInt32 = 10_000_000

    init() {
        // The limits need no room for groups: only where the whole match lies is asked for.
        matchData = pcre2_match_data_create_8(1, nil)
        context = pcre2_match_context_create_8(nil)
        stack = pcre2_jit_stack_create_8(Self.stackBytes, Self.stackBytesMax, nil)
        pcre2_set_match_limit_8(context, Self.stepsMax)
        pcre2_jit_stack_assign_8(context, nil, UnsafeMutableRawPointer(stack))
    }

    deinit {
        pcre2_match_data_free_8(matchData)
        pcre2_match_context_free_8(context)
        pcre2_jit_stack_free_8(stack)
    }
}

/// A half-open range of byte offsets.
struct ByteRange: Equatable, Sendable {
    var start: Int
    var end: Int

    var isEmpty: Bool { start == end }
}
