// The program ring-bench: measures what a user waits for.

import ArgumentParser
import Observability

@main
struct RingBenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ring-bench", abstract: "Measures the ring on this machine.", version: Software.version,
        subcommands: [
            AllCommand.self, BandwidthCommand.self, AgreeCommand.self, DecodeCommand.self, PrefillCommand.self,
            StartupCommand.self, RingCommand.self, BatchCommand.self, HopCommand.self, WindowCommand.self,
            SpeculationCommand.self, PrefixCommand.self, TokenizerCommand.self, PerplexityCommand.self,
            LogitsCommand.self, MLXCommand.self, StepCommand.self,
        ])
}
