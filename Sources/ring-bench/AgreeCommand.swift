// Whether ring and the peer run the same model: the same greedy tokens from the same prompts.

import ArgumentParser

struct AgreeCommand: BenchJob {
    static let configuration = CommandConfiguration(
        commandName: "agree", abstract: "How many greedy tokens ring and llama.cpp have in common, in bf16.",
        discussion: """
            The model's weights are random, so its likeliest tokens are close together and differ at last by rounding; \
            what counts is how long both go the same way.
            """)

    @OptionGroup var options: BenchOptions

    @Option(help: ArgumentHelp("Prompts.", valueName: "count"))
    var prompts = 8

    /// After so many tokens a difference of rounding says nothing more.
    private static let tokens = 8

    func validate() throws {
        guard 1...1000 ~= prompts else { throw ValidationError("--prompts takes 1 to 1000") }
    }

    func measure(into report: BenchReport) async throws {
        guard let peer = try options.startPeer() else { throw ValidationError("agree needs a peer: give --python") }
        defer { peer.stop() }
        let model = options.models + "/" + BenchFormat.bfloat16.directory
        let card = try BenchModel.read(model)
        let ring = try BenchRing(model: model, card: card, shardCount: 1, threads: 2)
        defer { ring.stop() }
        try ring.begin()
        try peer.ask(
            .load(model: options.models + "/" + BenchFormat.bfloat16.peerFile, threads: 2, context: 256))
        var same: [Double] = []
        for index in 0..<prompts {
            let prompt = (0..<16).map { ($0 * 7919 + index * 104_729 + 11) % card.vocabularySize }
            let ours = try ring.greedy(prompt: prompt, tokens: Self.tokens)
            let theirs = try peer.ask(.greedy(prompt: prompt, tokens: Self.tokens)).tokens ?? []
            same.append(Double(zip(ours, theirs).prefix { $0 == $1 }.count))
        }
        report.add(
            BenchRow(
                name: "bf16: greedy tokens before the first difference", unit: "of \(Self.tokens)", ours: Samples(same),
                note: "\(prompts) prompts of 16 random tokens, beside \(BenchFormat.bfloat16.peerName)"))
    }
}
