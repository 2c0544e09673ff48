// Decoding one stream on one shard, beside mlx-lm on the processor: the format's own program.

import ArgumentParser

struct MLXCommand: BenchJob {
    static let configuration = CommandConfiguration(
        commandName: "mlx", abstract: "Tokens a second of one stream on one shard, beside mlx-lm.",
        discussion: """
            mlx-lm reads the same checkpoints, and on a processor takes seconds for a token of a quantized one, so few \
            are timed. Without it (pip install 'mlx[cpu]' mlx-lm) there are no rows.
            """)

    @OptionGroup var options: BenchOptions

    @Option(help: ArgumentHelp("4, 8 or bf16.", valueName: "format"))
    var bits: [BenchFormat] = [.fourBits, .bfloat16]

    @Option(help: ArgumentHelp("Threads of the shard; mlx-lm takes what it likes.", valueName: "count"))
    var threads = 2

    @Option(help: ArgumentHelp("Tokens timed with ring.", valueName: "count"))
    var tokens = 64

    @Option(help: ArgumentHelp("Tokens timed with mlx-lm.", valueName: "count"))
    var peerTokens = 2

    private static let script = "tools/bench/mlx_peer.py"
    private static let roundsMax = 2
    /// Tokens in the cache at the start: reading a prompt takes mlx-lm as long as decoding it.
    private static let promptTokens = 1

    func validate() throws {
        guard 1...10_000 ~= tokens, 1...1000 ~= peerTokens else {
            throw ValidationError("--tokens takes 1 to 10000 and --peer-tokens 1 to 1000")
        }
    }

    func measure(into report: BenchReport) async throws {
        guard let python = options.python else { return }
        let peer = try PeerProcess(python: python, script: Self.script)
        defer { peer.stop() }
        for format in bits {
            let model = options.models + "/" + format.directory
            let version: String?
            do {
                version = try peer.ask(.load(model: model, threads: threads, context: 1024)).version
            } catch let error as BenchError where error.description.contains("ModuleNotFoundError") {
                BenchReport.progress("mlx-lm is not installed in \(python): no rows of it")
                return
            }
            let ring = try BenchRing(model: model, card: try BenchModel.read(model), shardCount: 1, threads: threads)
            defer { ring.stop() }
            try ring.begin()
            var ours: [Double] = []
            var theirs: [Double] = []
            for _ in 0..<min(options.rounds, Self.roundsMax) {
                let seconds = try ring.decode(steps: tokens, warmUp: 1).roundTrips.reduce(0, +) / 1e6
                ours.append(Double(tokens) / seconds)
                theirs.append(
                    Double(peerTokens)
                        / (try peer.seconds(.decode(tokens: peerTokens, prompt: Self.promptTokens))))
            }
            report.add(
                BenchRow(
                    name: "decode, \(format.name), \(threads.threads)", unit: "tok/s", ours: Samples(ours),
                    peer: Samples(theirs), peerName: "mlx-lm, same files", note: version.map { "mlx-lm \($0)" }))
        }
    }
}
