// The program ring-api: flags in, a running API out.

public import ArgumentParser
import Hub
public import Logging
import Observability
import RingAPI
import RingTransport
import Wire

@main
struct RingAPICommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ring-api",
        abstract: "Speaks OpenAI's API and sends tokens round a ring of shards.",
        version: Software.version)

    @Option(
        name: [.short, .long],
        help: ArgumentHelp("Where HTTP and the ring are served; the last shard's -n.", valueName: "host:port"))
    var address: String

    @Option(
        name: [.short, .long],
        help: ArgumentHelp(
            "The first shard. Default: the one with layer 0 of the model that announces itself over mDNS.",
            valueName: "host:port"))
    var shard: String?

    @Option(help: "Cluster of the shards that are looked for over mDNS.")
    var cluster = APIConfiguration.clusterStandard

    @Option(
        name: [.short, .customLong("model")],
        help: ArgumentHelp(
            "Model directory, GGUF file or Hugging Face id, as the shards have it; of the latter no weights are downloaded.",
            valueName: "model"))
    var model: String

    @Option(
        help: ArgumentHelp(
            "Longest prompt and answer together, in tokens. Default: what the model was made for.", valueName: "count"))
    var context: Int?

    @Option(help: ArgumentHelp("Answers generated at a time.", valueName: "count"))
    var sequencesMax = SchedulerLimits().sequencesActiveMax

    @Option(help: ArgumentHelp("Requests that may wait for their turn.", valueName: "count"))
    var waitingMax = SchedulerLimits().waitingMax

    @Flag(
        inversion: .prefixedNo, exclusivity: .chooseLast,
        help: "Keep the caches of ended requests for those that begin the same.")
    var prefixCaching = true

    @Option(help: ArgumentHelp("Most tokens in a step; longer prompts are read in chunks.", valueName: "count"))
    var rowsPerStep = SchedulerLimits().rowsPerStepMax

    @Option(help: ArgumentHelp("What travels between shards: f32 or bf16.", valueName: "format"))
    var activations = ActivationChoice.f32

    @Option(
        help: ArgumentHelp(
            "Guess tokens ahead where text repeats itself: auto (where it is faster), on or off.", valueName: "mode"))
    var speculation = SpeculationMode.auto

    @Option(
        help: ArgumentHelp("How long a broken ring is waited for before open requests fail.", valueName: "seconds"))
    var recoveryTimeout = 30

    @Option(help: "Name in logs and in the ring.")
    var name = "ring-api"

    @Option(help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel: Logger.Level = .info

    func validate() throws {
        try check("--context", context ?? 1, 1...1 << 28)
        try check("--sequences-max", sequencesMax, 1...WireLimits.stepRunsMax)
        try check("--waiting-max", waitingMax, 0...1_000_000)
        try check("--rows-per-step", rowsPerStep, 1...WireLimits.stepRowsMax)
        try check("--recovery-timeout", recoveryTimeout, 0...86_400)
    }

    private func check(_ flag: String, _ value: Int, _ range: ClosedRange<Int>) throws {
        guard range.contains(value) else {
            throw ValidationError("\(flag) is \(value); it must be from \(range.lowerBound) to \(range.upperBound)")
        }
    }

    func run() async throws {
        let logger = Daemon.logger("ring-api", level: logLevel)
        var limits = SchedulerLimits()
        limits.sequencesActiveMax = sequencesMax
        limits.waitingMax = waitingMax
        limits.rowsPerStepMax = rowsPerStep
        if !prefixCaching { limits.prefixesMax = 0 }
        limits.speculation = speculation
        let configuration = APIConfiguration(
            name: name, address: try RingAddress(parsing: address),
            firstShard: try shard.map { try RingAddress(parsing: $0) }, cluster: cluster,
            contextTokensMax: context, activations: activations.format, limits: limits,
            recoveryTimeout: .seconds(recoveryTimeout))
        let source = try ModelReference(parsing: model).source(logger: logger) { Interruption.isAsked }
        let served = try Interruption.watched { try ServedModel(source) }
        let server = APIServer(configuration, model: served, logger: logger)
        try await Daemon.run(server, server.coordinator, logger: logger)
    }
}

/// `--activations`.
enum ActivationChoice: String, ExpressibleByArgument, CaseIterable {
    case f32
    case bf16

    var format: ActivationFormat { self == .f32 ? .f32 : .bf16 }
}

extension SpeculationMode: ExpressibleByArgument {}
extension Logger.Level: @retroactive ExpressibleByArgument {}
