"""RetinaNet v2 on ResNet-50, by torchvision."""

from torchvision.models.detection import retinanet_resnet50_fpn_v2

from metricloop.detector.torchvision_detector import from_torchvision

build = from_torchvision(retinanet_resnet50_fpn_v2)
LEARNING_RATE = 0.0001
