// Reading a prompt on one shard, beside llama.cpp with as many threads.

import ArgumentParser

struct PrefillCommand: BenchJob {
    static let configuration = CommandConfiguration(
        commandName: "prefill", abstract: "Prompt tokens a second on one shard, beside llama.cpp.")

    @OptionGroup var options: BenchOptions

    @Option(help: ArgumentHelp("4, 8 or bf16; all of them when left out.", valueName: "format"))
    var bits: [BenchFormat] = BenchFormat.allCases

    @Option(help: ArgumentHelp("Threads of the shard and of the peer.", valueName: "count"))
    var threads: [Int] = [2]

    @Option(help: ArgumentHelp("Lengths of prompt.", valueName: "count"))
    var tokens: [Int] = [512, 4096]

    /// Long prompts take long: fewer rounds show as much.
    private static let longPrompt = 2048
    private static let longRoundsMax = 2

    func validate() throws {
        guard tokens.allSatisfy({ 1...32_768 ~= $0 }) else { throw ValidationError("--tokens takes 1 to 32768") }
    }

    func measure(into report: BenchReport) async throws {
        let peer = try options.startPeer()
        defer { peer?.stop() }
        for format in bits {
            for count in threads { try measure(format, count, peer, report) }
        }
    }

    private func measure(_ format: BenchFormat, _ threads: Int, _ peer: PeerProcess?, _ report: BenchReport) throws {
        let model = options.models + "/" + format.directory
        let card = try BenchModel.read(model)
        let ring = try BenchRing(model: model, card: card, shardCount: 1, threads: threads)
        defer { ring.stop() }
        try ring.begin()
        let version = try peer?.ask(
            .load(model: options.models + "/" + format.peerFile, threads: threads, context: (tokens.max() ?? 0) + 256)
        ).version
        // One short prompt each to warm up.
        _ = try ring.prefill(tokens: 64)
        _ = try peer?.seconds(.prefill(tokens: 64))
        for count in tokens {
            let rounds = count > Self.longPrompt ? min(options.rounds, Self.longRoundsMax) : options.rounds
            var ours: [Double] = []
            var theirs: [Double] = []
            for _ in 0..<rounds {
                ours.append(try ring.prefill(tokens: count))
                if let seconds = try peer?.seconds(.prefill(tokens: count)) { theirs.append(seconds) }
            }
            var row = BenchRow(
                name: "prefill \(count), \(format.name), \(threads.threads)", unit: "tok/s",
                ours: Samples(count, inSeconds: ours))
            let operations = card.multiplyAdds(promptTokens: count) * 2
            row.limit = MatrixRate.floatOperationsPerSecond(threads: threads) / (operations / Double(count))
            row.limitName = "OpenBLAS sgemm in float; integer and bfloat16 units go beyond"
            row.note = "frames to one ring-shard in chunks of \(BenchRing.chunkRows)"
            if peer != nil {
                row.peer = Samples(count, inSeconds: theirs)
                row.peerName = format.peerName
                row.note? += "; llama-cpp-python \(version ?? ""), batches of 512"
            }
            if threads == 2 { row.goal = BenchRow.Goal(ratio: format == .eightBits ? 1.8 : 1.7) }
            report.add(row)
        }
    }
}
