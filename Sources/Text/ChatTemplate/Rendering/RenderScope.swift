// RenderScope: the variables of one scope while it is being rendered.

/// The variables of one scope while it is being rendered.
final class RenderScope {
    /// By slot; nil where nothing was assigned yet.
    var slots: [RenderValue?]
    private let parent: RenderScope?

    /// Enters the scope `layout` inside `parent`.
    init(_ layout: ScopeLayout, parent: RenderScope?, context: [RenderValue?]) {
        self.parent = parent
        slots = Array(repeating: nil, count: layout.starts.count)
        restart(layout, context: context)
    }

    /// Sets all variables but the parameters to what they start as.
    func restart(_ layout: ScopeLayout, context: [RenderValue?]) {
        for (slot, start) in layout.starts.enumerated() {
            switch start {
            case .parameter: break
            case .missing: slots[slot] = nil
            case .context(let index): slots[slot] = context[index]
            case .outer(let hops, let outerSlot):
                var scope = parent
                for _ in 1..<hops { scope = scope?.parent }
                slots[slot] = scope?.slots[outerSlot]
            }
        }
    }
}
