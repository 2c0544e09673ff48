// Every maximum the tokenizer holds its input to, and why.

/// Limits on what is read from a model directory.
enum TokenizerLimits {
    /// Largest `tokenizer.json`, in bytes. The largest published ones (vocabularies of 262,144 entries with their
    /// merges) come to about 35 MB; four times that leaves room for larger vocabularies.
    static let tokenizerFileBytesMax = 128 << 20

    /// Largest `tokenizer_config.json`, in bytes. With thousands of added tokens spelled out they reach about 1.5 MB.
    static let configurationFileBytesMax = 16 << 20

    /// Largest `chat_template.jinja`, in bytes. Published ones stay below 30 KB.
    static let chatTemplateFileBytesMax = 1 << 20

    /// Number of ids: one more than the largest id allowed. Published vocabularies end at 262,208; a table of ids
    /// of this size takes 32 MB, so that one absurd id cannot take all memory.
    static let vocabularyCountMax = 1 << 22

    /// Length of one token's text, in bytes. The longest published ones (runs of blanks) have a few hundred.
    static let tokenBytesMax = 1 << 16

    /// Length of a regular expression, in bytes. Published ones stay below 2 KB, Unicode ranges spelled out.
    static let patternBytesMax = 1 << 16

    /// How deep normalizers, pre-tokenizers and the like may nest. Published files nest one sequence.
    static let stageDepthMax = 8
}
