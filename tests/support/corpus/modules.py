"""Rows of other papers' operators, of modules that nobody has, misspelt ones; and of ours by each of their names."""

from tests.support.corpus.writing import CBAM, COORD, ECA3, ECA5, GAM, SE, Case, base, dumped, v8, v8_blocks, with_rows


def here(family: str, *rows: list, after: tuple[int, ...], name: str) -> dict[str, str]:
    return {"text": dumped(with_rows(base(family), *rows, after=after)), "name": name}


MODULES = {
    # Attention of other papers.
    "CPCA": Case(v8(["CPCA", [256]]), "unknown module 'CPCA': CPCA is not in this package; it is channel and spatial"),
    "DAttention": Case(v8(["DAttention", [256]]), "unknown module 'DAttention': DAttention is not in this package"),
    "BiLevelRoutingAttention": Case(v8(["BiLevelRoutingAttention", [256]]), "BiFormer is not in this package"),
    "CrissCrossAttention": Case(v8(["CrissCrossAttention", [256]]), "not in this package; it is spatial attention"),
    "ParNetAttention": Case(v8(["ParNetAttention", [256]]), "ParNetAttention is not in this package"),
    "MHSA": Case(v8(["MHSA", [256, 14, 14, 4]]), "unknown module 'MHSA': MHSA is not in this package"),
    "ACmix": Case(v8(["ACmix", [256, 256]]), "unknown module 'ACmix': ACmix is not in this package"),
    "SEAM": Case(v8(["SEAM", [256, 1, 16]]), "SEAM is not in this package; it is channel attention"),
    "C2f_CAA": Case(v8_blocks("C2f_CAA", True), "unknown module 'C2f_CAA': CAA is not in this package"),
    "C3_MHSA": Case(v8_blocks("C3_MHSA"), "unknown module 'C3_MHSA': MHSA is not in this package"),
    # No attention at all, and nothing is suggested.
    "GSConv": Case(v8(["CBAM", []], ["GSConv", [512, 1, 1]]), "unknown module 'GSConv'; attention rows are"),
    "VoVGSCSP": Case(v8(["VoVGSCSP", [256]], ["CBAM", []]), "unknown module 'VoVGSCSP'; attention rows are"),
    "SPPCSPC": Case(v8(["SPPCSPC", [256]]), "unknown module 'SPPCSPC'; attention rows are"),
    "DCNv2": Case(v8(["DCNv2", [256, 3, 1]]), "unknown module 'DCNv2'; attention rows are"),
    "Upsample without nn.": Case(
        v8(["CBAM", []]).replace("nn.Upsample", "Upsample"), "unknown module 'Upsample', did you mean 'nn.Upsample'?"
    ),
    # Slips.
    "CBMA": Case(v8(["CBMA", [256]]), "unknown module 'CBMA', did you mean 'CBAM'?"),
    "TripletAtention": Case(v8(["TripletAtention", []]), "did you mean 'TripletAttention'?"),
    "CoordAttn": Case(v8(["CoordAttn", [256]]), "did you mean 'CoordAtt'?"),
    "C2f_CBMA": Case(v8_blocks("C2f_CBMA", True), "did you mean 'C2f_CBAM'?"),
    # Ours, by their other names.
    "cbam": Case(v8(["cbam", []])),
    "CBAMBlock": Case(v8(["CBAMBlock", [256]], ["CBAMBlock", [512]], ["CBAMBlock", [1024]])),
    "yolo_attn.CBAM": Case(v8(["yolo_attn.CBAM", []])),
    "SEBlock": Case(v8(["SEBlock", [256, 16]], ["SEBlock", [512, 16]], ["SEBlock", [1024, 16]]), read=(SE,)),
    "SE_Block": Case(v8(["SE_Block", []]), read=(SE,)),
    "BAMBlock": Case(v8(["BAMBlock", []]), read=("BAM(reduction=16, dilation=4, product=False)",)),
    "ECALayer": Case(v8(["ECALayer", []]), read=(ECA3, ECA5)),
    "ECAAttention, kernel": Case(v8(["ECAAttention", [3]]), read=(ECA3,)),
    "CoordAttention": Case(v8(["CoordAttention", [256, 32]], ["CA", [512, 32]], ["CABlock", []]), read=(COORD,)),
    "GAMAttention": Case(v8(["GAMAttention", []]), read=(GAM,)),
    "GAM, groups": Case(
        v8(["GAM", [{"reduction": 16, "groups": 4}]]),
        read=("GAM(reduction=16, groups=4, channel_sigmoid=True, rank=0, depthwise=False)",),
    ),
    "SRMLayer": Case(v8(["SRMLayer", [256]], ["SRM", [512]], ["SRM", []]), read=("SRM()",)),
    "GCT": Case(v8(["GCT", [256]], ["GCT", [512]], ["GatedChannelTransform", []]), read=("GCT(l1=False)",)),
    "FcaLayer": Case(v8(["FcaLayer", []]), read=("FcaNet(frequencies=16, reduction=16, size=7)",)),
    "GSoP": Case(v8(["GSoP", []]), read=("GSoP(dimension=128, position=False)",)),
    "EncModule": Case(v8(["EncModule", []], after=(8,)), read=("EncNet(codes=32, loss_weight=0.2)",)),
    "AiA": Case(v8(["AiA", []]), read=("BiAttention(reduction=16)",)),
    "SelfAttention": Case(v8(["SelfAttention", []], after=(9,)), read=("NonLocal(reduction=2)",)),
    "Triplet": Case(v8(["Triplet", []]), read=("TripletAttention(kernel_size=7, spatial=True)",)),
    # In other families and tasks.
    "YOLO12": Case(**here("12/yolo12", ["CBAM", []], after=(8,), name="yolo12n-a.yaml")),
    "YOLOv9": Case(**here("v9/yolov9t", ["SE", [128]], after=(9,), name="yolov9t-a.yaml"), read=(SE,)),
    "YOLOv6": Case(**here("v6/yolov6", ["CBAM", [1024]], after=(9,), name="yolov6n-a.yaml")),
    "pose": Case(**here("v8/yolov8-pose", ["CBAM", []], after=(9,), name="yolov8n-pose-a.yaml")),
    "classification": Case(**here("v8/yolov8-cls", ["CBAM", []], after=(8,), name="yolov8n-cls-a.yaml")),
    "two operators": Case(v8(["CBAM", [256]], ["SE", [512]], ["CBAM", [1024]]), read=(CBAM, SE)),
}
