// How the API is set up.

public import RingTransport
public import Wire

/// What the flags of `ring-api` say.
public struct APIConfiguration: Sendable {
    /// In logs and in the ring.
    public var name: String
    /// Where HTTP and the ring are served.
    public var address: RingAddress
    /// `nil`: the shard with layer 0 of the model that announces itself over mDNS.
    public var firstShard: RingAddress?
    /// Of the shards that are looked for over mDNS.
    public var cluster: String
    /// Longest sequence; `nil` for what the model was made for.
    public var contextTokensMax: Int?
    public var activations: ActivationFormat
    public var limits: SchedulerLimits
    /// How long a broken ring is waited for before open requests fail.
    public var recoveryTimeout: Duration

    /// The cluster of shards and APIs that are not told another.
    public static let clusterStandard = "default"

    public init(
        name: String, address: RingAddress, firstShard: RingAddress?,
        cluster: String = APIConfiguration.clusterStandard, contextTokensMax: Int? = nil,
        activations: ActivationFormat = .f32, limits: SchedulerLimits = SchedulerLimits(),
        recoveryTimeout: Duration = .seconds(30)
    ) {
        self.name = name
        self.address = address
        self.firstShard = firstShard
        self.cluster = cluster
        self.contextTokensMax = contextTokensMax
        self.activations = activations
        self.limits = limits
        self.recoveryTimeout = recoveryTimeout
    }
}
