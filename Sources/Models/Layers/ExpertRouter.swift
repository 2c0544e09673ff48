// Which experts a row goes to, and with what weights.

internal import Tensors

/// Scores of a row's logits, and the choice of the experts with the highest.
struct ExpertRouter: Sendable {
    /// How a row's logits become scores.
    enum Scoring: String, CaseIterable {
        case softmax
        case sigmoid
        /// Experts are chosen by their logits, and the softmax is over those chosen.
        case softmaxOfChosen
    }

    /// How experts are chosen group by group: all those of the best groups may be chosen, no others. DeepSeek-AI, 2024.
    struct Groups: Sendable {
        let count: Int
        /// Groups that remain.
        let kept: Int
        /// What a group is worth: the sum of so many of its best scores.
        let bestCounted: Int
    }

    /// `[hidden]` to a logit an expert.
    let gate: Linear
    let scoring: Scoring
    /// Experts of a row.
    let chosen: Int
    /// Whether the weights of a row's experts are made to add up to 1.
    let normalizes: Bool
    /// What all weights are multiplied by.
    var factor: Float = 1
    var groups: Groups?
    /// Added to the scores for the choice alone, `[experts]`.
    var correction: ExpertCorrection?

    var experts: Int { gate.matrix.outputs }

    /// An expert of a row.
    struct Choice: Equatable {
        var expert: Int
        var weight: Float
    }

    /// ``chosen`` experts for each row of `x`, best first, one row after another.
    ///
    /// The gate multiplies float32 activations in every mode: rounding them would send rows to other experts.
    func callAsFunction(_ x: Tensor) throws(TensorError) -> [Choice] {
        let scores = try gate(x, precision: .exact)
        switch scoring {
        case .softmax: scores.softmax()
        case .sigmoid: scores.sigmoid()
        case .softmaxOfChosen: break
        }
        var choices: [Choice] = []
        choices.reserveCapacity(x.rows * chosen)
        var standing = [Float](repeating: 0, count: experts)
        for row in 0..<x.rows { choose(UnsafeBufferPointer(scores[row]), &standing, &choices) }
        if scoring == .softmaxOfChosen {
            let weights = try Tensor(rows: x.rows, columns: chosen, in: x.compute)
            for (index, choice) in choices.enumerated() { weights.values[index] = choice.weight }
            weights.softmax()
            for index in choices.indices { choices[index].weight = weights.values[index] }
        }
        return choices
    }

    /// Appends the choices of one row.
    /// - Parameter standing: room for a number an expert.
    private func choose(_ scores: UnsafeBufferPointer<Float>, _ standing: inout [Float], _ choices: inout [Choice]) {
        for expert in 0..<experts { standing[expert] = scores[expert] + (correction?.values[expert] ?? 0) }
        if let groups { keepBest(groups, &standing) }
        let first = choices.count
        var sum: Float = 0
        for _ in 0..<chosen {
            let expert = Self.best(of: 0..<experts, standing)
            choices.append(Choice(expert: expert, weight: scores[expert]))
            sum += scores[expert]
            standing[expert] = -.infinity
        }
        // As the reference has it, so that a row whose scores all vanish has no NaN.
        let divisor = normalizes && chosen > 1 ? sum + (scoring == .sigmoid ? 1e-20 : 0) : 1
        for index in first..<choices.count { choices[index].weight = choices[index].weight / divisor * factor }
    }

    /// Takes all experts but those of the best groups out of the choice.
    private func keepBest(_ groups: Groups, _ standing: inout [Float]) {
        let size = experts / groups.count
        var worth = (0..<groups.count).map { group in
            var members = Array(standing[group * size..<(group + 1) * size])
            members.sort(by: >)
            return members.prefix(groups.bestCounted).reduce(0, +)
        }
        var isKept = [Bool](repeating: false, count: groups.count)
        for _ in 0..<groups.kept {
            let group = Self.best(of: 0..<groups.count, worth)
            isKept[group] = true
            worth[group] = -.infinity
        }
        for group in 0..<groups.count where !isKept[group] {
            for expert in group * size..<(group + 1) * size { standing[expert] = -.infinity }
        }
    }

    /// The first of those with the largest value.
    private static func best(of indices: Range<Int>, _ values: [Float]) -> Int {
        var best = indices.lowerBound
        for index in indices where values[index] > values[best] { best = index }
        return best
    }
}

/// A number an expert, in the memory of its layer.
struct ExpertCorrection: @unchecked Sendable {  // Memory that nobody writes.
    let values: UnsafePointer<Float>
}
