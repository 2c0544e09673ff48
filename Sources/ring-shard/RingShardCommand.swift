// The program ring-shard: flags in, a running shard out.

public import ArgumentParser
import Hub
public import Logging
import Observability
import RingShard
import RingTransport
import ServiceLifecycle

@main
struct RingShardCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ring-shard",
        abstract: "Holds layers of a model and applies them to what comes round the ring.",
        version: Software.version)

    @Option(
        name: [.short, .customLong("model")],
        help: ArgumentHelp(
            "Model directory, GGUF file, or a Hugging Face id: organization/name or organization/name@revision.",
            valueName: "model"))
    var model: String

    @Option(name: [.short, .long], help: "Port to listen on.")
    var port: UInt16

    @Option(
        name: [.short, .long],
        help: ArgumentHelp(
            "Layers to hold, such as \"[0,1,2]\" or 0-17,36-53; every layer when left out.", valueName: "list"))
    var layers: String?

    @Option(
        name: [.short, .customLong("next")],
        help: ArgumentHelp("The next shard, or the API's address for the last shard.", valueName: "host:port"))
    var next: String

    @Option(
        help: ArgumentHelp(
            "Most layers in memory at a time; the others are read from disk ahead of use. Default: all, or what --memory-limit allows.",
            valueName: "count"))
    var prefetchWindow: Int?

    @Option(help: ArgumentHelp("Address to listen on.", valueName: "address"))
    var host = "0.0.0.0"

    @Option(help: "Name in logs and in the ring. Default: the host's name and the port.")
    var name: String?

    @Option(help: "Cluster that this shard announces over mDNS; an API uses shards of one cluster together.")
    var cluster = ShardConfiguration.clusterStandard

    @Option(
        help: ArgumentHelp("Threads that compute. Default: as many as there are processors.", valueName: "count"))
    var threads: Int?

    @Option(
        help: ArgumentHelp(
            "Most memory for keys and values, such as 2GiB. Default: half of what is free, or what --memory-limit leaves.",
            valueName: "size"))
    var cacheLimit: ByteCount?

    @Option(
        help: ArgumentHelp(
            """
            Most memory of the whole process, such as 12GiB: as many layers stay in memory as fit, the others are read \
            from disk ahead of use. Default: no limit.
            """, valueName: "size"))
    var memoryLimit: ByteCount?

    @Option(
        help: ArgumentHelp(
            """
            Bits of cached keys and values: 16, or 8 for half the memory and faster long contexts. Shards may differ; \
            answers are the same however the ring is cut when all have the same.
            """, valueName: "16|8"))
    var kvBits: CacheBits?

    @Flag(help: "Compute in float32 throughout, for verification. All shards of a ring must agree.")
    var exact = false

    @Flag(help: "Multiply long prompts with OpenBLAS. Answers may then depend on how a prompt was cut.")
    var openblas = false

    @Option(help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel: Logger.Level = .info

    func run() async throws {
        let logger = Daemon.logger("ring-shard", level: logLevel)
        let threads = threads ?? Processors.allowed()
        guard threads >= 1 else { throw ValidationError("--threads is \(threads), but at least one must compute") }
        guard !exact || kvBits == nil else {
            throw ValidationError("--exact keeps keys and values in float32; leave --kv-bits out or --exact")
        }
        let configuration = ShardConfiguration(
            name: name ?? "\(Processors.hostName()):\(port)", cluster: cluster, modelDirectory: model,
            layers: try layers.map { try LayerList(parsing: $0) }, windowLayers: prefetchWindow, threads: threads,
            exact: exact, cacheType: kvBits?.type, usesOpenBLAS: openblas, cacheBytesMax: cacheLimit?.bytes,
            memoryBytesMax: memoryLimit?.bytes)
        let next = try RingAddress(parsing: next)
        let source = try ModelReference(parsing: model).source(logger: logger) { Interruption.isAsked }
        let part = try Interruption.watched { try ShardModel(configuration, from: source) }
        logger.info("loading layers \(part.layers) of \(model)")
        let progress = LoadProgressLine(logger: logger)
        let service = ShardService(
            configuration, model: part, listeningOn: RingAddress(host: host, port: port), next: next,
            softwareVersion: Software.version, logger: logger, progress: { progress.show($0, of: $1) })
        try await Daemon.run(service, logger: logger)
    }
}

extension Logger.Level: @retroactive ExpressibleByArgument {}
