// Every maximum of the wire, and why.

/// Limits that hold for every frame, checked before a length or count is believed.
public enum WireLimits {
    /// Version of the protocol; both ends of a connection must speak the same. 2: runs may carry drafts.
    public static let protocolVersion: UInt32 = 2
    /// Bytes of the length prefix of a frame.
    public static let lengthPrefixBytes = 4
    /// Largest frame. Below 2²⁴, so that a ring connection begins with a zero byte and can share a port with HTTP
    /// and TLS. Large enough for 512 rows of 7,168 float32 columns.
    public static let frameBytesMax = (1 << 24) - 1
    /// Largest payload: a frame less room for its other fields.
    public static let payloadBytesMax = frameBytesMax - (1 << 20)
    /// Largest frame accepted before the peer has introduced itself: a Hello is a few dozen bytes.
    public static let helloBytesMax = 4096
    /// Tokens in one step over all its runs: bounds the rows a shard must have scratch memory for.
    public static let stepRowsMax = 4096
    /// Tokens guessed ahead in one run: a pass that streams weights from disk costs as much as some 256 rows, and a run
    /// that long in which every guess is right is worth as many passes.
    public static let draftsMax = 255
    /// Runs in one step: more streams than a ring of ordinary machines decodes at once.
    public static let stepRunsMax = 1024
    /// Steps the API has on the ring at a time; a shard can always take this many, so the ring needs no credits.
    public static let stepsInFlightMax = 32
    /// Tokens of a sequence: the longest published contexts have ten million.
    public static let contextTokensMax = 1 << 24
    /// Memory that unpacking one frame may take, payload included: the structs of a message within the limits stay
    /// below it, while two hostile bytes can ask for a struct of two hundred.
    public static let unpackBytesMax = 128 << 20
    /// Daemons a frame may pass before it is taken for lost: 32 shards for 32 rounds.
    public static let hopsMax: UInt32 = 1024
    /// Shards in one ring.
    public static let shardsMax = 128
    /// Layers of a model; the deepest published ones have some 130.
    public static let layersMax = 1024
    /// Alternatives reported for a token: the most OpenAI's API allows.
    public static let topLogprobsMax = 20
    /// Entries of a logit bias: the most OpenAI's API allows.
    public static let logitBiasMax = 1024
    /// Tokens that a request may ban.
    public static let bannedTokensMax = 64
    /// Sequences one Forget names.
    public static let forgetSequencesMax = 4096
    /// Bytes of a name, address or version.
    public static let nameBytesMax = 256
    /// Bytes of a failure's reason: a few sentences.
    public static let reasonBytesMax = 2048
    /// Largest hidden size; the widest published models have 18,432 columns.
    public static let hiddenSizeMax = 65_536
    /// Bytes of a model's fingerprint.
    public static let fingerprintBytes = 16
}
