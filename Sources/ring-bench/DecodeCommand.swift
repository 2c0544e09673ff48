// Decoding one stream on one shard, beside llama.cpp with as many threads.

import ArgumentParser

struct DecodeCommand: BenchJob {
    static let configuration = CommandConfiguration(
        commandName: "decode", abstract: "Tokens a second of one stream on one shard, beside llama.cpp.")

    @OptionGroup var options: BenchOptions

    @Option(help: ArgumentHelp("4, 8 or bf16; all of them when left out.", valueName: "format"))
    var bits: [BenchFormat] = BenchFormat.allCases

    @Option(help: ArgumentHelp("Threads of the shard and of the peer.", valueName: "count"))
    var threads: [Int] = [2, 1]

    @Option(help: ArgumentHelp("Tokens timed.", valueName: "count"))
    var tokens = 64

    func measure(into report: BenchReport) async throws {
        let memory = try MemoryBandwidth()
        let peer = try options.startPeer()
        defer { peer?.stop() }
        for format in bits {
            for count in threads { try measure(format, count, memory, peer, report) }
        }
    }

    private func measure(
        _ format: BenchFormat, _ threads: Int, _ memory: MemoryBandwidth, _ peer: PeerProcess?, _ report: BenchReport
    ) throws {
        let model = options.models + "/" + format.directory
        let card = try BenchModel.read(model)
        let ring = try BenchRing(model: model, card: card, shardCount: 1, threads: threads)
        defer { ring.stop() }
        try ring.begin()
        let version = try peer?.ask(
            .load(model: options.models + "/" + format.peerFile, threads: threads, context: 1024)
        ).version
        var ours: [Double] = []
        var theirs: [Double] = []
        var bandwidth = 0.0
        // The first round warms up.
        for round in 0...options.rounds {
            let own = try ring.decode(steps: tokens, warmUp: 1).roundTrips.reduce(0, +) / 1e6
            let other = try peer?.seconds(.decode(tokens: tokens, prompt: BenchRing.promptTokens))
            bandwidth = max(bandwidth, memory.bytesPerSecond(threads: threads))
            guard round > 0 else { continue }
            ours.append(own)
            if let other { theirs.append(other) }
        }
        var row = BenchRow(
            name: "decode \(tokens), \(format.name), \(threads.threads)", unit: "tok/s",
            ours: Samples(tokens, inSeconds: ours))
        row.limit = bandwidth / Double(try card.bytesReadPerToken())
        row.limitName = "bytes a token reads ÷ memory read bandwidth, \(threads.threads)"
        row.note =
            "frames to one ring-shard, round trip included; \(BenchRing.promptTokens) tokens in the cache at the start"
        if peer != nil {
            row.peer = Samples(tokens, inSeconds: theirs)
            row.peerName = format.peerName
            row.note? += "; llama-cpp-python \(version ?? "")"
        }
        row.goal = Self.goal(format, threads)
        report.add(row)
    }

    static func goal(_ format: BenchFormat, _ threads: Int) -> BenchRow.Goal? {
        switch (format, threads) {
        case (.fourBits, 2): BenchRow.Goal(ratio: 1.7, fraction: 0.88)
        case (.eightBits, 2): BenchRow.Goal(ratio: 1.45, fraction: 0.88)
        case (.bfloat16, 2): BenchRow.Goal(ratio: 1.2, fraction: 0.92)
        case (.fourBits, 1): BenchRow.Goal(ratio: 1.6)
        case (.eightBits, 1): BenchRow.Goal(ratio: 1.4)
        case (.bfloat16, 1): BenchRow.Goal(ratio: 1.3)
        default: nil
        }
    }
}
