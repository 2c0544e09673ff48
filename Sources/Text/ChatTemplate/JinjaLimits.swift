// JinjaLimits: the bounds that keep any template, however hostile, from hanging or exhausting the process.

/// Bounds on reading and rendering a template.
///
/// Reaching one is a ``ChatTemplateError`` of kind `limit`. The defaults leave real templates, the largest of which has
/// 17 kB and takes some ten thousand steps, at least a hundredfold room.
public struct JinjaLimits: Sendable, Equatable {
    /// Bytes of template source. Sixty times the largest template known.
    public var sourceBytesMax = 1 << 20

    /// Statements and brackets that may stand inside one another in the source. People write up to about fifteen.
    /// The parser uses the stack for each, some 10 kB in a debug build.
    public var sourceNestingMax = 100

    /// Statements, expressions, loop items and compared or copied values, each counted as one step, and more for text
    /// that is looked at, as ``RenderBudget`` says. A step takes some 50 to 100 ns, so a template runs for a second or
    /// two at the most. Of 69 real templates all but one render two thousand messages within a tenth of this; that one
    /// walks through all earlier messages for each, and needs this much for about two thousand.
    public var stepsMax = 20_000_000

    /// Expressions, statements and macro calls that may be under way inside one another; a macro that renders a JSON
    /// schema uses about ten for each level of the schema. The deepest needs well under 1 MB of stack in release.
    public var callNestingMax = 400

    /// Lists and dicts inside one another, in what the caller passes in and in what the template builds.
    /// JSON of requests is held to the same depth.
    public var valueNestingMax = 128

    /// Bytes of rendered text; a prompt of a million tokens has about 5 MB.
    public var outputBytesMax = 32 << 20

    /// Bytes of any one string the template builds: no more than could be printed.
    public var stringBytesMax = 32 << 20

    /// Bytes of all strings, lists and dicts that a rendering builds, whether or not it still holds them, so the most
    /// that it can hold. It is wide because a template that gathers its output in one variable copies it once a
    /// message: a megabyte of text in a thousand messages still fits.
    public var allocatedBytesMax = 512 << 20

    /// Items of one `range`: the bound of Jinja's own sandbox.
    public var rangeItemsMax = 100_000

    public init() {}
}
